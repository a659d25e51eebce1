//! Versions that have to be signed.

use super::*;
use crate::{
    function::{AliasTarget, Catalog as _, RegistryErrorKind},
    registry::{Architecture, PackageSettings},
    store::trust::{Claim, KeyKind, Signature, SignatureForm, SigningKey, Trust, TrustedKey},
};

/// A store, who publishes to it, and the server of a team that trusts its own key only.
struct Team {
    store: Store,
    publisher: Runtime,
    server: Runtime,
    key: SigningKey,
}

impl Team {
    fn new() -> Self {
        let key = SigningKey::from_pem(SigningKey::generate(KeyKind::Ed25519).unwrap().as_bytes()).unwrap();
        let trusted = TrustedKey::new("team.pub", key.public());
        let trust = Trust::required(vec![trusted], [].into()).unwrap();
        let store = Store::memory();
        let server = Runtime::builder(store.clone()).concurrency(2).trust(trust).build().unwrap();
        Self { publisher: runtime(&store), store, server, key }
    }

    /// Publishes a version whose code is in the server's memory already: compiling takes time that is not virtual.
    async fn publish(&self, number: u32) -> u64 {
        publish(&self.server, &format!("warm-{number}"), number).await;
        publish(&self.publisher, "f", number).await
    }

    async fn sign(&self, version: u64) {
        let f = name("f");
        let manifest = self.store.record(&f).await.unwrap().unwrap().version(version).unwrap().1.manifest;
        let signature = Signature::new(&Claim::new(&f, manifest, version), SignatureForm::Simple, &self.key).unwrap();
        self.store.add_signature(&f, (version, manifest), &signature).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_not_signed_is_not_called_loaded_shown_packaged_or_pointed_to() {
    let team = Team::new();
    team.publish(1).await;
    let (f, prod) = (FunctionRef::from(name("f")), "prod".parse().unwrap());
    let package = || team.server.package(std::slice::from_ref(&f), Architecture::X86_64, PackageSettings::default());
    let point = || team.server.set_alias(f.name(), &prod, AliasTarget::version(1)).into_future();
    let refused = "version 1 of function f is not trusted here: it is not signed; sign it: nebula sign f@1 --key FILE";

    assert_eq!(call(&team.server, "f").await, Err(ErrorKind::InvalidModule));
    let loaded = team.server.load(&f).await.unwrap_err();
    assert_eq!((loaded.kind(), loaded.detail()), (ErrorKind::InvalidModule, refused));
    for error in [package().await.map(drop), point().await.map(drop), team.server.function(&f).await.map(drop)]
        .map(Result::unwrap_err)
    {
        assert_eq!(error.kind(), RegistryErrorKind::Invalid);
        assert!(error.detail().contains(refused), "{error}");
    }
    assert_eq!(call(&team.publisher, "f").await.unwrap(), "1", "a process that trusts every version runs it");

    team.sign(1).await;
    pass(Duration::from_secs(2)).await;
    assert_eq!(call(&team.server, "f").await.unwrap(), "1");
    team.server.load(&f).await.unwrap();
    assert_eq!(package().await.unwrap().functions.len(), 1);
    point().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_stays_on_the_signed_version_until_the_next_one_is_signed() {
    let team = Team::new();
    team.publish(1).await;
    team.sign(1).await;
    assert_eq!(call(&team.server, "f").await.unwrap(), "1");
    let second = team.publish(2).await;
    for _ in 0..50 {
        pass(Duration::from_millis(100)).await;
        assert_eq!(call(&team.server, "f").await.unwrap(), "1");
    }
    let held: Vec<_> = team.server.held_back().iter().map(|held| held.version).collect();
    assert_eq!(held, [second]);
    team.sign(second).await;
    pass(Duration::from_secs(2)).await;
    // At this call the record is read again. The first version answers it if the second one is not loaded by then.
    call(&team.server, "f").await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(call(&team.server, "f").await.unwrap(), "2");
    assert_eq!(team.server.held_back(), []);
}
