//! Connections through `wasi:sockets` 0.2.

use std::net::Ipv4Addr;

use wasip2::{
    io::streams::{InputStream, OutputStream, StreamError},
    sockets::{
        instance_network::instance_network,
        ip_name_lookup::resolve_addresses,
        network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress},
        tcp::TcpSocket,
        tcp_create_socket::create_tcp_socket,
        udp_create_socket::create_udp_socket,
    },
};

wit_bindgen::generate!({ path: "wit/sockets.wit" });

export!(Sockets);

struct Sockets;

impl Guest for Sockets {
    fn exchange(address: String, port: u16, line: String) -> Result<String, String> {
        let address: Ipv4Addr = address.parse().map_err(|_| format!("{address:?} is not an address"))?;
        let (socket, input, output) = connect(address, port)?;
        let answer = write_and_read(&input, &output, &line);
        drop((input, output, socket));
        answer
    }

    fn exchange_by_name(name: String, port: u16, line: String) -> Result<String, String> {
        let address = Self::lookup(name)?.into_iter().next().ok_or("the name has no address")?;
        Self::exchange(address, port, line)
    }

    fn lookup(name: String) -> Result<Vec<String>, String> {
        let found = resolve_addresses(&instance_network(), &name).map_err(in_words)?;
        let mut addresses = Vec::new();
        loop {
            match found.resolve_next_address() {
                Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => addresses.push(Ipv4Addr::new(a, b, c, d).to_string()),
                Ok(Some(IpAddress::Ipv6(_))) => {}
                Ok(None) => return Ok(addresses),
                Err(ErrorCode::WouldBlock) => found.subscribe().block(),
                Err(error) => return Err(in_words(error)),
            }
        }
    }

    fn listen() -> Result<(), String> {
        let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(in_words)?;
        socket.start_bind(&instance_network(), local()).map_err(in_words)?;
        socket.finish_bind().map_err(in_words)?;
        socket.start_listen().map_err(in_words)?;
        socket.finish_listen().map_err(in_words)
    }

    fn bind_udp() -> Result<(), String> {
        let socket = create_udp_socket(IpAddressFamily::Ipv4).map_err(in_words)?;
        socket.start_bind(&instance_network(), local()).map_err(in_words)?;
        socket.finish_bind().map_err(in_words)
    }
}

fn local() -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 0, address: (127, 0, 0, 1) })
}

fn connect(address: Ipv4Addr, port: u16) -> Result<(TcpSocket, InputStream, OutputStream), String> {
    let [a, b, c, d] = address.octets();
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) });
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(in_words)?;
    socket.start_connect(&instance_network(), address).map_err(in_words)?;
    loop {
        match socket.finish_connect() {
            Ok((input, output)) => return Ok((socket, input, output)),
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            Err(error) => return Err(in_words(error)),
        }
    }
}

fn write_and_read(input: &InputStream, output: &OutputStream, line: &str) -> Result<String, String> {
    output.blocking_write_and_flush(format!("{line}\n").as_bytes()).map_err(|error| format!("{error:?}"))?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') {
        match input.blocking_read(1024) {
            Ok(bytes) => answer.extend(bytes),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(format!("{error:?}")),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

fn in_words(error: ErrorCode) -> String {
    error.name().to_owned()
}
