//! Connections and datagrams through `wasi:sockets` 0.3.

use std::{mem, net::Ipv4Addr};

use wasip3::{
    sockets::{
        ip_name_lookup::resolve_addresses,
        types::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket, UdpSocket},
    },
    wit_bindgen::{StreamReader, StreamResult},
    wit_stream,
};

wit_bindgen::generate!({ path: "wit/sockets3.wit" });

export!(Sockets);

struct Sockets;

impl Guest for Sockets {
    async fn exchange(address: String, port: u16, line: String) -> String {
        in_words(exchange(&address, port, &line).await)
    }

    async fn lookup(name: String) -> String {
        in_words(lookup(name).await)
    }

    async fn ask(address: String, port: u16, text: String) -> String {
        in_words(ask(&address, port, &text).await)
    }

    async fn hoard(address: String, port: u16, count: u32) -> String {
        hold(&address, port, count, mem::forget).await
    }

    async fn hoard_streams(address: String, port: u16, count: u32) -> String {
        hold(&address, port, count, |socket| mem::forget(socket.receive())).await
    }

    async fn reconnect(address: String, port: u16, count: u32) -> String {
        hold(&address, port, count, |socket| drop((socket.receive(), socket))).await
    }
}

fn in_words(done: Result<String, String>) -> String {
    done.unwrap_or_else(|error| format!("error: {error}"))
}

fn words(error: ErrorCode) -> String {
    match error {
        ErrorCode::Other(Some(text)) => text,
        error => format!("{error:?}"),
    }
}

async fn connect(address: &str, port: u16) -> Result<TcpSocket, String> {
    let socket = TcpSocket::create(IpAddressFamily::Ipv4).map_err(words)?;
    socket.connect(place(address, port)?).await.map_err(words)?;
    Ok(socket)
}

fn place(address: &str, port: u16) -> Result<IpSocketAddress, String> {
    let address: Ipv4Addr = address.parse().map_err(|_| format!("{address:?} is not an address"))?;
    let [a, b, c, d] = address.octets();
    Ok(IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }))
}

async fn exchange(address: &str, port: u16, line: &str) -> Result<String, String> {
    let socket = connect(address, port).await?;
    let (mut writer, data) = wit_stream::new();
    let sent = socket.send(data);
    writer.write_all(format!("{line}\n").into_bytes()).await;
    drop(writer);
    sent.await.map_err(words)?;
    let (incoming, _) = socket.receive();
    Ok(first_line(incoming).await)
}

async fn first_line(mut incoming: StreamReader<u8>) -> String {
    let mut answer = Vec::new();
    loop {
        let (result, read) = incoming.read(Vec::with_capacity(1024)).await;
        answer.extend(read);
        if answer.contains(&b'\n') || !matches!(result, StreamResult::Complete(_)) {
            return String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
        }
    }
}

async fn lookup(name: String) -> Result<String, String> {
    let found = resolve_addresses(name).await.map_err(|error| format!("{error:?}"))?;
    let v4 = |address| match address {
        IpAddress::Ipv4((a, b, c, d)) => Some(Ipv4Addr::new(a, b, c, d).to_string()),
        IpAddress::Ipv6(_) => None,
    };
    Ok(found.into_iter().filter_map(v4).collect::<Vec<_>>().join(" "))
}

async fn ask(address: &str, port: u16, text: &str) -> Result<String, String> {
    let socket = UdpSocket::create(IpAddressFamily::Ipv4).map_err(words)?;
    socket.send(text.into(), Some(place(address, port)?)).await.map_err(words)?;
    let (answer, _) = socket.receive().await.map_err(words)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn hold(address: &str, port: u16, count: u32, keep: impl Fn(TcpSocket)) -> String {
    for made in 0..count {
        match connect(address, port).await {
            Ok(socket) => keep(socket),
            Err(error) => return format!("{made} connections, then: {error}"),
        }
    }
    format!("{count} connections")
}
