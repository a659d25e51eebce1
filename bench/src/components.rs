//! Components, compared with `wasmtime serve` and with bindings that Wasmtime generates.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use nebula_runtime::{Event, FunctionName, FunctionRef, Invocation, Invoker as _, Runtime, Store};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{
    bare::{self, into_anyhow},
    http::Server,
    table::{Table, compare, median, micros},
};

const ROUNDS: usize = 9;

/// The flags that make `wasmtime serve` fastest in this benchmark.
const TUNED: &[&str] = &[
    "-Opooling-allocator=y",
    "-Opooling-memory-keep-resident=1048576",
    "-Opooling-table-keep-resident=1048576",
    "-Opooling-async-stack-keep-resident=1048576",
    "-Opooling-max-unused-warm-slots=1000",
];

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    match wasmtime_binary() {
        Some(wasmtime) => serve_rows(table, &wasmtime)?,
        None => table.row(
            "wasi:http, compared with wasmtime serve",
            "–".into(),
            "not installed".into(),
            "cargo install wasmtime-cli --version 48.0.8 --locked --root target/peers".into(),
        ),
    }
    json_row(table)
}

fn serve_rows(table: &mut Table, wasmtime: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = String::new();
    for (name, keys) in
        [("http-hello", ""), ("http-hello-std", ""), ("http3-hello", ""), ("http3-reused", "reuse = {}\n")]
    {
        let file = guest(&name.replace("reused", "hello"))?;
        config += &format!("[functions.{name}]\nsource = {file:?}\n{keys}");
    }
    std::fs::write(folder.path().join("nebula.toml"), config)?;
    let nebula = Server::nebula(folder.path())?;
    let cases: [(&str, &str, &str, &[&str], &str); 6] = [
        ("wasi:http 0.2 hello", "http-hello-std", "http-hello-std", &[], "wasmtime serve"),
        ("wasi:http 0.2 hello", "http-hello-std", "http-hello-std", TUNED, "wasmtime serve, tuned"),
        // The guest's allocator grows the memory in every request. The kernel then changes the protection of pages
        // twice.
        ("wasi:http 0.2 hello without std", "http-hello", "http-hello", &[], "wasmtime serve"),
        ("wasi:http 0.2 hello without std", "http-hello", "http-hello", TUNED, "wasmtime serve, tuned"),
        ("wasi:http 0.3 hello, reused", "http3-reused", "http3-hello", &[], "wasmtime serve, reusing"),
        (
            "wasi:http 0.3 hello, fresh",
            "http3-hello",
            "http3-hello",
            &["--max-instance-reuse-count=1"],
            "wasmtime serve, fresh",
        ),
    ];
    for (label, function, file, flags, peer_name) in cases {
        let mut command = Command::new(wasmtime);
        command
            .arg("serve")
            .args(flags)
            .args(["-Scli", "-Sp3", "-Wcomponent-model-async", "--addr", "127.0.0.1:0"])
            .arg(guest(file)?);
        let peer = Server::spawn(&mut command)?;
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (our, their) = (nebula.load(&format!("/api/{function}"))?, peer.load("/")?);
            ours.push(our);
            theirs.push(their);
            ratios.push(our / their);
        }
        let cell = |rates| format!("{:.0} req/s", median(rates));
        table.row(label, cell(ours), cell(theirs), format!("{:.2} of {peer_name}", median(ratios)));
    }
    Ok(())
}

/// The peer's binary: the one in `target/peers`, or the one in the user's `PATH`.
pub(crate) fn wasmtime_binary() -> Option<PathBuf> {
    let built = PathBuf::from("target/peers/bin/wasmtime");
    let installed = || {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|folder| folder.join("wasmtime"))
            .find(|path| path.exists())
    };
    Some(built).filter(|path| path.exists()).or_else(installed)
}

pub(crate) fn guest(name: &str) -> Result<PathBuf> {
    std::path::absolute(format!("guests/build/{name}.wasm")).with_context(|| format!("no guest {name}"))
}

mod bindings {
    wasmtime::component::bindgen!({
        path: "../guests/typed/wit/shop.wit",
        exports: { default: async },
    });
}

use bindings::{
    Shop, ShopPre,
    exports::nebula::shop::orders::{Parcel, Unit},
};

struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

const PARCEL: &str = r#"{"id":1234567890123,"sender":"Ada Lovelace","receiver":"Charles Babbage","weight":2.5,"height":10,
    "width":20,"depth":30,"insured":true,"unit":"piece","tags":["books","heavy"]}"#;

fn parcel() -> Parcel {
    Parcel {
        id: 1_234_567_890_123,
        sender: "Ada Lovelace".into(),
        receiver: "Charles Babbage".into(),
        weight: 2.5,
        height: 10,
        width: 20,
        depth: 30,
        insured: true,
        unit: Unit::Piece,
        tags: vec!["books".into(), "heavy".into()],
    }
}

/// Measures a call with a record of ten fields, as JSON in both directions. The peer passes it as a Rust value.
fn json_row(table: &mut Table) -> Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let wasm = std::fs::read(guest("shop")?)?;
    let runtime = Arc::new(Runtime::builder(Store::memory()).build()?);
    let name: FunctionName = "shop".parse()?;
    tokio.block_on(runtime.publish(&name, wasm.clone()).into_future())?;
    let function: FunctionRef = "shop:weigh".parse()?;
    let engine = into_anyhow(bare::engine())?;
    let peer = into_anyhow(peer(&engine, &wasm))?;
    let comparison = compare(
        21,
        1_000,
        || {
            let response = tokio.block_on(runtime.invoke(Invocation::new(function.clone(), Event::json(PARCEL))))?;
            ensure!(response.body.as_whole().is_some_and(|body| body.windows(3).any(|part| part == b"3.5")));
            Ok(())
        },
        || {
            ensure!(into_anyhow(tokio.block_on(weigh(&engine, &peer)))?.weight == 3.5);
            Ok(())
        },
    )?;
    let ratio = format!("{:.2} times generated bindings", comparison.ratio);
    table.row(
        "a record of 10 fields, as JSON in both directions",
        micros(comparison.nebula),
        micros(comparison.peer),
        ratio,
    );
    Ok(())
}

fn peer(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<ShopPre<Host>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    ShopPre::new(linker.instantiate_pre(&Component::new(engine, wasm)?)?)
}

async fn weigh(engine: &wasmtime::Engine, shop: &ShopPre<Host>) -> wasmtime::Result<Parcel> {
    let host = Host { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
    let mut store = wasmtime::Store::new(engine, host);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let shop: Shop = shop.instantiate_async(&mut store).await?;
    shop.nebula_shop_orders().call_weigh(&mut store, &parcel()).await
}
