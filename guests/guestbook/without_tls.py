"""The Python of a component has no TLS. The driver imports two names of it, which only connections with TLS use."""

import sys
import types

sys.modules["ssl"] = types.SimpleNamespace(SSLObject=type("SSLObject", (), {}), SSLSocket=type("SSLSocket", (), {}))
