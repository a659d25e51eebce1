//! Services, compared with the client library of each.

use std::sync::Arc;

use anyhow::{Result, ensure};
use nebula_runtime::{
    Event, FunctionConfig, FunctionName, FunctionRef, Invocation, Invoker as _, Node, Runtime, ServiceGrant, Services,
    Store, keyvalue,
};
use redis::cmd;

use crate::{
    redis_server::RedisServer,
    table::{Table, compare, micros},
};

/// A component that increments a number so often as it is told.
const COUNTER: &str = include_str!("counter.wat");

/// What is measured, and how many increments each call has.
const ROWS: [(&str, u32); 2] =
    [("an increment over Redis, in a guest", 100), ("an increment over Redis, in a call of its own", 1)];

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    match RedisServer::start(folder.path()) {
        Ok(server) => ROWS.iter().try_for_each(|(label, increments)| increment_row(table, &server, label, *increments)),
        Err(error) => {
            let ratio = format!("{error:#}: apt-get install redis-server");
            ROWS.iter().for_each(|(label, _)| table.row(*label, "–".into(), "not installed".into(), ratio.clone()));
            Ok(())
        }
    }
}

/// Measures calls of a function that increments a number so often. The peer is the client library on its own, with a
/// connection of its own.
fn increment_row(table: &mut Table, server: &RedisServer, label: &str, increments: u32) -> Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let url = format!("redis://{}", server.address);
    let mut connection = tokio.block_on(redis::Client::open(url.as_str())?.get_multiplexed_async_connection())?;
    let runtime = tokio.block_on(runtime(&url))?;
    let function: FunctionRef = "counter".parse()?;
    tokio.block_on(cmd("DEL").arg("calls").arg("peer").exec_async(&mut connection))?;
    let (mut called, mut sent) = (0_u64, 0_u64);
    let comparison = compare(
        21,
        500 / increments,
        || {
            called += u64::from(increments);
            let invocation = Invocation::new(function.clone(), Event::json(increments.to_string()));
            let response = tokio.block_on(runtime.invoke(invocation))?;
            ensure!(response.body.as_whole().is_some_and(|body| **body == *called.to_string().as_bytes()));
            Ok(())
        },
        || {
            for _ in 0..increments {
                sent += 1;
                let sum: u64 = tokio.block_on(cmd("INCRBY").arg("peer").arg(1).query_async(&mut connection))?;
                ensure!(sum == sent);
            }
            Ok(())
        },
    )?;
    let ratio = format!("{:.2} times the client library", comparison.ratio);
    table.row(label, micros(comparison.nebula / increments), micros(comparison.peer / increments), ratio);
    Ok(())
}

/// A runtime with the counter, whose numbers are in Redis.
async fn runtime(url: &str) -> Result<Arc<Runtime>> {
    let store = keyvalue::open(&url.parse()?, &Node::default())?;
    let services = Services::default().keyvalue("state".parse()?, store);
    let runtime = Arc::new(Runtime::builder(Store::memory()).services(services).build()?);
    let mut config = FunctionConfig::default();
    config.keyvalue.insert("default".to_owned(), ServiceGrant::new("state".parse()?));
    let name: FunctionName = "counter".parse()?;
    runtime.publish(&name, COUNTER).config(config).await?;
    Ok(runtime)
}
