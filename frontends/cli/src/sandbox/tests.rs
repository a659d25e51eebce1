//! What a fault in the host can do in the sandbox: nothing outside of it.
#![cfg(target_os = "linux")]

use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use http::HeaderValue;
use nebula_runtime::{Event, Invocation, Invoker as _, Reach, Response, Runtime, Store, invoker_fn};
use rustix::process::{Pid, test_kill_process};

use super::{Entered, NotEntered, Sandbox};

/// Where the child process finds what it may use, and what it may not.
const FOLDER: &str = "NEBULA_TEST_FOLDER";
const PORTS: &str = "NEBULA_TEST_PORTS";

/// A process that serves in a sandbox, and a guest whose host call does whatever the guest asks for.
#[test]
#[ignore = "it gives up the rights of its process: the test below runs it in a process of its own"]
fn child() {
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let ports: Vec<u16> = env::var(PORTS).unwrap().split(',').map(|port| port.parse().unwrap()).collect();
    let mut reach = Reach::default();
    reach.add_read(&folder.join("read"));
    reach.add_write(&folder.join("write"));
    reach.add_port(ports[0]);
    match (Sandbox { reach, abstract_sockets: false, listen: [0].into() }).enter() {
        Ok(Entered::Whole) => {}
        Ok(Entered::WithoutPorts) | Err(NotEntered::Unsupported) => return println!("not here"),
        Err(error) => panic!("{error:?}"),
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let wasm = "(module (func (export \"f\")))";
        let runtime = Runtime::builder(Store::memory()).layer(|_| {
            Arc::new(invoker_fn(async |invocation: Invocation| {
                let done = broken_host_call(&invocation.event.arguments().join(" "));
                Ok(Response::new(HeaderValue::from_static("text/plain"), done, invocation.report))
            }))
        });
        let runtime = runtime.concurrency(1).build().unwrap();
        runtime.publish(&"f".parse().unwrap(), wasm).await.unwrap();
        for asked in requests(&folder, &ports) {
            let event = Event::payload("", None).with_arguments([&asked]);
            let response = runtime.invoke(Invocation::new("f".parse::<nebula_runtime::FunctionRef>().unwrap(), event));
            let body = response.await.unwrap().body.collect(1_024).await.unwrap();
            println!("{asked}: {}", String::from_utf8_lossy(&body));
        }
    });
}

fn requests(folder: &Path, ports: &[u16]) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("read {}", path("read/a.txt")),
        format!("read {}", path("write/../secret.txt")),
        format!("read {}", path("read/link")),
        "read /etc/passwd".to_owned(),
        format!("write {}", path("write/new.txt")),
        format!("write {}", path("read/new.txt")),
        format!("write {}", path("new.txt")),
        format!("connect {}", ports[0]),
        format!("connect {}", ports[1]),
        "listen 0".to_owned(),
        "listen 8080".to_owned(),
        "run /bin/true".to_owned(),
        "signal".to_owned(),
        "thread".to_owned(),
        "datagram".to_owned(),
    ]
}

/// A host call that checks nothing.
fn broken_host_call(asked: &str) -> String {
    let (verb, what) = asked.split_once(' ').unwrap_or((asked, ""));
    let port = || what.parse().unwrap();
    let done: io::Result<()> = match verb {
        "read" => fs::read(what).map(drop),
        "write" => fs::write(what, "x"),
        "connect" => TcpStream::connect((Ipv4Addr::LOCALHOST, port())).map(drop),
        "listen" => TcpListener::bind((Ipv4Addr::LOCALHOST, port())).map(drop),
        "run" => Command::new(what).status().map(drop),
        "signal" => Pid::from_raw(parent()).map_or(Ok(()), |parent| test_kill_process(parent).map_err(Into::into)),
        "thread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        "datagram" => UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop),
        _ => unreachable!("{verb}"),
    };
    done.map_or_else(|error| error.kind().to_string(), |()| "done".to_owned())
}

fn parent() -> i32 {
    i32::try_from(std::os::unix::process::parent_id()).unwrap()
}

fn run_child(folder: &Path, ports: &[u16]) -> Output {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "sandbox::tests::child", "--ignored", "--nocapture"]).env(FOLDER, folder);
    child.env(PORTS, ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",")).output().unwrap()
}

#[test]
fn a_broken_host_call_gets_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    for name in ["read", "write"] {
        fs::create_dir(real.join(name)).unwrap();
    }
    for file in ["read/a.txt", "secret.txt"] {
        fs::write(real.join(file), "secret").unwrap();
    }
    std::os::unix::fs::symlink("../secret.txt", real.join("read/link")).unwrap();
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let ports = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port());
    let output = run_child(&real, &ports);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    if printed.contains("not here") {
        return;
    }
    let refused = "permission denied";
    let expected =
        ["done", refused, refused, refused, "done", refused, refused, "done", refused, "done", refused, refused]
            .into_iter()
            .chain([refused, "done", "done"]);
    for (asked, expected) in requests(&real, &ports).iter().zip(expected) {
        assert!(printed.contains(&format!("{asked}: {expected}\n")), "{asked} should be {expected}:\n{printed}");
    }
}
