//! What is told of functions is written as JSON, and read by the clients of servers.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use super::*;
use crate::{
    function::{AliasName, AliasTarget, LimitSettings, RegistryError, RegistryErrorKind, UnreadableFunction},
    store::IfPointedTo,
};

fn assert_is_read_as_written<T: Debug + PartialEq + Serialize + DeserializeOwned>(value: &T) {
    let written = serde_json::to_string(value).unwrap();
    let read = serde_json::from_str::<T>(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(read, *value, "{written}");
}

#[tokio::test]
async fn whatever_is_told_of_a_function_is_read_as_it_was_written() {
    let (runtime, f, prod) = (runtime(&Store::memory()), name("f"), "prod".parse::<AliasName>().unwrap());
    let limits = LimitSettings { timeout: Some(Duration::from_secs(2)), ..LimitSettings::default() };
    let env = [("GREETING".to_owned(), "hi".into())].into();
    let config = FunctionConfig { limits, env, ..FunctionConfig::default() };
    runtime.publish(&f, answer(1)).await.unwrap();
    let published = runtime.publish(&f, answer(2)).config(config).alias(prod.clone()).by("ada".to_owned()).await;
    assert_is_read_as_written(&published.unwrap());
    let weighted = AliasTarget::weighted([(1, 95), (2, 5)]).unwrap().sticky("x-user".parse().unwrap());
    assert_is_read_as_written(&runtime.set_alias(&f, &prod, weighted).await.unwrap());
    assert_is_read_as_written(&runtime.publish(&f, answer(3)).await.unwrap());
    assert_is_read_as_written(&runtime.inspect(&f.clone().into()).await.unwrap());
    assert_is_read_as_written(&runtime.aliases(&f).await.unwrap());
    assert_is_read_as_written(&runtime.versions(&f).await.unwrap());
    assert_is_read_as_written(&runtime.diff(&"f@1".parse().unwrap(), &"f@2".parse().unwrap()).await.unwrap());
    assert_is_read_as_written(&runtime.remove(&f, Some(1), IfPointedTo::Release).await.unwrap());
    assert_is_read_as_written(&runtime.remove_alias(&f, &prod).await.unwrap());
    assert_is_read_as_written(&runtime.remove(&f, None, IfPointedTo::Refuse).await.unwrap());
    assert_is_read_as_written(&runtime.history(&f).await.unwrap());
}

#[test]
fn the_reason_that_a_function_cannot_be_read_is_read_without_its_cause() {
    let error = RegistryError::new(RegistryErrorKind::Internal, "its manifest is damaged");
    let unreadable = UnreadableFunction { name: name("f"), error: error.with_source("a secret path") };
    let written = serde_json::to_string(&unreadable).unwrap();
    assert_eq!(written, r#"{"name":"f","error":{"kind":"internal","detail":"its manifest is damaged"}}"#);
    let read: UnreadableFunction = serde_json::from_str(&written).unwrap();
    assert_eq!((read.error.kind(), read.error.detail()), (RegistryErrorKind::Internal, "its manifest is damaged"));
}
