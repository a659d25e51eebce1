//! References of registries.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use nebula_runtime::Digest;
use oci_spec::distribution::Reference;

/// How a reference begins.
pub(crate) const SCHEME: &str = "oci://";

/// A reference of a registry: `oci://REGISTRY/REPOSITORY`, and `:TAG` or `@sha256:…` after it. Without both, the tag is
/// `latest`.
///
/// - It names its registry: there is no default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OciReference(Arc<Reference>);

/// A text that is no reference of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid reference {text:?}: {why}; expected oci://REGISTRY/REPOSITORY, and :TAG or @sha256:… after it, such as \
     oci://registry.example.com/team/shop:1.0"
)]
pub(crate) struct InvalidOciReference {
    text: String,
    why: String,
}

impl FromStr for OciReference {
    type Err = InvalidOciReference;

    fn from_str(text: &str) -> Result<Self, InvalidOciReference> {
        let invalid = |why: &str| InvalidOciReference { text: text.to_owned(), why: why.to_owned() };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| invalid("it does not begin with oci://"))?;
        let (host, _) = rest.split_once('/').ok_or_else(|| invalid("it names no repository"))?;
        // Else it would be a repository of Docker Hub.
        if !host.contains(['.', ':']) && host != "localhost" {
            return Err(invalid("it names no registry"));
        }
        let reference: Reference = rest.parse().map_err(|error| invalid(&format!("{error}")))?;
        match reference.digest().map(str::parse::<Digest>) {
            Some(Err(error)) => Err(invalid(&error.to_string())),
            _ => Ok(Self(Arc::new(reference))),
        }
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

impl OciReference {
    /// The port of its registry.
    pub(crate) fn port(&self) -> u16 {
        let port = self.registry().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.unwrap_or(443)
    }

    /// The reference, as the client takes it.
    pub(super) fn whole(&self) -> &Reference {
        &self.0
    }

    /// The same repository, at a tag.
    pub(super) fn at_tag(&self, tag: String) -> Reference {
        Reference::with_tag(self.registry().to_owned(), self.0.repository().to_owned(), tag)
    }

    /// Where a registry without the referrers API has the list of the manifests that refer to this one.
    pub(super) fn referrers_tag(&self, digest: &Digest) -> Reference {
        self.at_tag(digest.to_string().replace(':', "-"))
    }

    /// The same repository, at a digest.
    pub(super) fn at(&self, digest: &Digest) -> Reference {
        Reference::with_digest(self.registry().to_owned(), self.0.repository().to_owned(), digest.to_string())
    }

    /// The digest that it names, if it names one.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.0.digest()?.parse().ok()
    }

    /// The registry, with its port.
    pub(super) fn registry(&self) -> &str {
        self.0.registry()
    }

    /// The name that other tools sign with: `registry.example.com/team/shop`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.registry(), self.0.repository())
    }

    /// Whether the registry is on this machine, where no one listens between it and Nebula.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.registry().rsplit_once(':').map_or(self.registry(), |(host, _)| host);
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        host == "localhost" || address.is_some_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_its_registry_and_displays_as_it_was_written() {
        let digest = format!("sha256:{}", "9f".repeat(32));
        let cases = [
            ("oci://registry.example.com/team/shop:1.0".to_owned(), "registry.example.com/team/shop", false),
            ("oci://localhost:5000/shop:latest".to_owned(), "localhost:5000/shop", true),
            (format!("oci://127.0.0.1:5000/shop@{digest}"), "127.0.0.1:5000/shop", true),
            ("oci://localhost/a:b".to_owned(), "localhost/a", true),
        ];
        for (text, name, is_loopback) in cases {
            let reference: OciReference = text.parse().unwrap();
            assert_eq!((reference.to_string(), reference.name()), (text.clone(), name.to_owned()));
            assert_eq!((reference.is_loopback(), reference.digest().is_some()), (is_loopback, text.contains('@')));
        }
        let without_tag: OciReference = "oci://ghcr.io/a/b".parse().unwrap();
        assert_eq!(without_tag.to_string(), "oci://ghcr.io/a/b:latest");
    }

    #[test]
    fn a_text_that_is_none_is_refused_with_what_is_wrong() {
        let cases = [
            ("registry.example.com/shop", "it does not begin with oci://"),
            ("oci://shop", "it names no repository"),
            ("oci://team/shop", "it names no registry"),
            ("oci://registry.example.com/Shop", ""),
            ("oci://registry.example.com/shop@sha256:12", ""),
            ("oci://registry.example.com/shop:a b", ""),
        ];
        for (text, why) in cases {
            let error = text.parse::<OciReference>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("invalid reference {text:?}: {why}")), "{error}");
        }
    }
}
