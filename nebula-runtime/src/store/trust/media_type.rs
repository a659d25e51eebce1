//! The names that cosign and Sigstore give to signatures in a registry.

/// The media type of the layer that cosign's simple signing signs.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// The annotation of that layer with the signature, in base64.
pub const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";

/// The annotation of that layer with a certificate, where it was signed with one.
pub(super) const CERTIFICATE_ANNOTATION: &str = "dev.sigstore.cosign/certificate";

/// The media type of a Sigstore bundle.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The payload type of an in-toto statement in a DSSE envelope.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The name under which a signature says the number of its version.
pub(super) const VERSION: &str = "nebula.version";
