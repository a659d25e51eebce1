//! Key-value stores in a file, compared with host calls that do nothing and with the disk.

use std::{fs::File, os::unix::fs::FileExt as _, path::Path, sync::Arc};

use anyhow::{Result, ensure};
use nebula_runtime::{
    Event, FunctionConfig, FunctionName, FunctionRef, Runtime, ServiceGrant, Services, Store, keyvalue::FileKeyValue,
};
use tokio::runtime;

use crate::{
    invoke::invoke,
    table::{Comparison, Table, compare, micros},
};

const ROUNDS: usize = 21;

/// The operations of one call, so that the call itself hardly counts.
const GETS: u32 = 1_000;
const SETS: u32 = 10;

const GUEST: &str = include_str!("keyvalue.wat");

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    // Not in the folder of temporary files, which is often in memory.
    let folder = tempfile::tempdir_in(".")?;
    let tokio = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let runtime = tokio.block_on(runtime_with_a_file(&folder.path().join("state.redb")))?;
    let call = |function: &str, times: u32| -> Result<()> {
        let function: FunctionRef = format!("store:{function}").parse()?;
        let answer = tokio.block_on(invoke(&runtime, &function, Event::json(times.to_string())))?;
        ensure!(answer.is_empty() || answer == "null", "{answer:?}");
        Ok(())
    };
    call("sets", 1)?;
    let gets = compare(ROUNDS, 1, || call("gets", GETS), || call("nows", GETS))?;
    row(table, "get from a key-value store in a file, in a guest", GETS, &gets, |nebula, empty| {
        format!("{:+.2} µs over an empty host call", (nebula - empty) * 1e6)
    });
    let peer = File::create_new(folder.path().join("peer"))?;
    let write = || -> Result<()> {
        for _ in 0..SETS {
            peer.write_all_at(&[7; 4096], 0)?;
            peer.sync_data()?;
        }
        Ok(())
    };
    let sets = compare(ROUNDS, 1, || call("sets", SETS), write)?;
    row(table, "set in a key-value store in a file, in a guest", SETS, &sets, |nebula, disk| {
        format!("{:.1} times one write and fsync", nebula / disk)
    });
    Ok(())
}

async fn runtime_with_a_file(path: &Path) -> Result<Arc<Runtime>> {
    let services = Services::default().keyvalue("state".parse()?, Arc::new(FileKeyValue::new(path)));
    let runtime = Runtime::builder(Store::memory()).services(services).build()?;
    let mut config = FunctionConfig::default();
    config.keyvalue.insert("default".to_owned(), ServiceGrant::new("state".parse()?));
    let name: FunctionName = "store".parse()?;
    runtime.publish(&name, GUEST.as_bytes().to_vec()).config(config).await?;
    Ok(Arc::new(runtime))
}

/// A row with the figures of one of so many operations, and how the two compare, in seconds.
fn row(table: &mut Table, label: &str, operations: u32, both: &Comparison, compared: impl Fn(f64, f64) -> String) {
    let (nebula, peer) = (both.nebula / operations, both.peer / operations);
    table.row(label, micros(nebula), micros(peer), compared(nebula.as_secs_f64(), peer.as_secs_f64()));
}
