//! The cryptography of TLS clients.

use rustls::crypto::ring;

/// Makes ring the cryptography of all TLS clients of the process, unless the process has chosen another one already. A
/// client of `reqwest` panics if there is none.
pub fn use_ring() {
    let _ = ring::default_provider().install_default();
}
