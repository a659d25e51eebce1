//! Aliases that point to several versions.

use std::collections::BTreeMap;

use http::{HeaderName, Request};

use super::*;
use crate::{
    call::{Body, InvocationId},
    function::AliasTarget,
    store::faulty::Faulty,
};

const USER: HeaderName = HeaderName::from_static("x-user");

/// The answer to a request of `user` under this id, with the version that its report names.
async fn answer_to(runtime: &Runtime, user: Option<&str>, id: &str) -> (String, Option<u64>) {
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.headers_mut().extend(user.map(|user| (USER, user.parse().unwrap())));
    let (function, id): (FunctionRef, _) = ("f@prod".parse().unwrap(), InvocationId::given(id));
    let response = runtime.invoke(Invocation::with_id(function, Event::http(request), id)).await.unwrap();
    let version = response.report.snapshot().version;
    (String::from_utf8(response.body.collect(100).await.unwrap().to_vec()).unwrap(), version)
}

/// How many of 200 calls each answer got, each of another id.
async fn shares(runtime: &Runtime, user: Option<&str>) -> BTreeMap<(String, Option<u64>), u32> {
    let mut shares = BTreeMap::new();
    for id in 0..200 {
        *shares.entry(answer_to(runtime, user, &id.to_string()).await).or_default() += 1;
    }
    shares
}

/// The answers 1 and 2 as versions 1 and 2, and `prod` for both of them.
async fn two_versions(runtime: &Runtime, store: &Store) {
    assert_eq!((publish(runtime, "f", 1).await, publish(runtime, "f", 2).await), (1, 2));
    let target = AliasTarget::weighted([(1, 3), (2, 1)]).unwrap().sticky(USER);
    assert!(store.set_alias(&name("f"), &"prod".parse().unwrap(), Some(target), None).await.unwrap().changed());
}

#[tokio::test(start_paused = true)]
async fn a_weighted_alias_shares_its_calls_and_keeps_a_user_at_one_version() {
    let store = Store::memory();
    let runtime = runtime(&store);
    two_versions(&runtime, &store).await;
    pass(Duration::from_secs(2)).await;

    let by_id = shares(&runtime, None).await;
    let [(first, of_first), (second, of_second)] = by_id.into_iter().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((first, second), (("1".to_owned(), Some(1)), ("2".to_owned(), Some(2))));
    // The same ids always get the same versions.
    assert!((130..170).contains(&of_first) && of_first + of_second == 200, "{of_first} {of_second}");

    let mut seen = BTreeMap::new();
    for user in ["ada", "grace", "alan", "edsger", "barbara", "donald", "tony", "john"] {
        let of_user = shares(&runtime, Some(user)).await;
        assert_eq!(of_user.len(), 1, "{user}: {of_user:?}");
        seen.extend(of_user);
    }
    assert_eq!(seen.len(), 2, "some users have each version");
    let heaviest = runtime.inspect(&"f@prod".parse().unwrap()).await.unwrap();
    assert_eq!((heaviest.version, heaviest.aliases.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_publish_moves_an_alias_that_points_to_the_version_among_others() {
    let store = Store::memory();
    let runtime = runtime(&store);
    two_versions(&runtime, &store).await;
    for changed in [true, false] {
        let published =
            runtime.publish(&name("f"), answer(2)).alias(Some("prod".parse().unwrap())).by("ada".to_owned());
        assert_eq!(published.await.unwrap().changed, changed);
    }
    let record = store.record(&name("f")).await.unwrap().unwrap();
    assert_eq!(record.target(&"prod".parse().unwrap()), Some(&AliasTarget::version(2)));
    let (_, prod) = record.aliases().next().unwrap();
    assert_eq!(prod.history.last().unwrap().by.as_deref(), Some("ada"));
}

#[tokio::test(start_paused = true)]
async fn every_version_of_a_new_target_is_loaded_before_calls_reach_it() {
    let (faulty, store) = Faulty::store().await;
    let (runtime, other) = (runtime(&store), super::runtime(&store));
    for number in 1..=3 {
        publish(&other, "f", number).await;
    }
    // So that their code is in memory, and needs no time that is not virtual.
    for number in [2, 3] {
        publish(&runtime, &format!("warm-{number}"), number).await;
    }
    let prod = "prod".parse().unwrap();
    store.set_alias(&name("f"), &prod, Some(AliasTarget::version(1)), None).await.unwrap();
    assert_eq!(call(&runtime, "f@prod").await.unwrap(), "1");
    let target = AliasTarget::weighted([(2, 1), (3, 1)]).unwrap();
    store.set_alias(&name("f"), &prod, Some(target), None).await.unwrap();
    // Old enough to be read again beside a call, which is still answered by the version that is known.
    pass(Duration::from_secs(1)).await;
    assert_eq!(call(&runtime, "f@prod").await.unwrap(), "1");
    pass(Duration::from_millis(1)).await;
    faulty.reads("");
    let answers = shares(&runtime, None).await;
    assert_eq!(answers.into_keys().map(|(answer, _)| answer).collect::<Vec<_>>(), ["2", "3"]);
    assert_eq!(faulty.reads_of(["blobs/", "functions/"]), [0, 0]);
}
