//! Connections through `wasi:sockets` 0.2.

use std::{mem, net::Ipv4Addr};

use wasip2::{
    io::streams::{InputStream, OutputStream, StreamError},
    sockets::{
        instance_network::instance_network,
        ip_name_lookup::resolve_addresses,
        network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress},
        tcp::TcpSocket,
        tcp_create_socket::create_tcp_socket,
        udp::{OutgoingDatagram, UdpSocket},
        udp_create_socket::create_udp_socket,
    },
};

wit_bindgen::generate!({ path: "wit/sockets.wit" });

export!(Sockets);

struct Sockets;

impl Guest for Sockets {
    fn exchange(address: String, port: u16, line: String) -> String {
        in_words(exchange(&address, port, &line))
    }

    fn exchange_by_name(name: String, port: u16, line: String) -> String {
        let found = lookup(&name).and_then(|addresses| addresses.into_iter().next().ok_or_else(nothing));
        in_words(found.and_then(|address| exchange(&address, port, &line)))
    }

    fn lookup(name: String) -> String {
        in_words(lookup(&name).map(|addresses| addresses.join(" ")))
    }

    fn listen() -> String {
        in_words(listen())
    }

    fn bind_udp() -> String {
        in_words(bind_udp().map(|_| "bound".to_owned()))
    }

    fn ask(address: String, port: u16, text: String) -> String {
        in_words(ask(&address, port, &text))
    }

    fn hoard(address: String, port: u16, count: u32) -> String {
        hoard(&address, port, count)
    }

    fn flood(address: String, port: u16) -> String {
        in_words(flood(&address, port))
    }
}

fn in_words(done: Result<String, String>) -> String {
    done.unwrap_or_else(|error| format!("error: {error}"))
}

fn name(error: ErrorCode) -> String {
    error.name().to_owned()
}

fn nothing() -> String {
    "the name has no address".to_owned()
}

fn exchange(address: &str, port: u16, line: &str) -> Result<String, String> {
    let (socket, input, output) = connect(parse(address)?, port)?;
    let answer = write_and_read(&input, &output, line);
    // The streams are children of the socket.
    drop((input, output, socket));
    answer
}

fn parse(address: &str) -> Result<Ipv4Addr, String> {
    address.parse().map_err(|_| format!("{address:?} is not an address"))
}

fn lookup(host: &str) -> Result<Vec<String>, String> {
    let found = resolve_addresses(&instance_network(), host).map_err(name)?;
    let mut addresses = Vec::new();
    loop {
        match found.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => addresses.push(Ipv4Addr::new(a, b, c, d).to_string()),
            Ok(Some(IpAddress::Ipv6(_))) => {}
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => found.subscribe().block(),
            Err(error) => return Err(name(error)),
        }
    }
}

fn listen() -> Result<String, String> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(name)?;
    socket.start_bind(&instance_network(), any(0)).map_err(name)?;
    socket.finish_bind().map_err(name)?;
    socket.start_listen().map_err(name)?;
    socket.finish_listen().map_err(name)?;
    Ok("listening".to_owned())
}

fn bind_udp() -> Result<UdpSocket, String> {
    let socket = create_udp_socket(IpAddressFamily::Ipv4).map_err(name)?;
    socket.start_bind(&instance_network(), any(0)).map_err(name)?;
    socket.finish_bind().map_err(name)?;
    Ok(socket)
}

fn ask(address: &str, port: u16, text: &str) -> Result<String, String> {
    let socket = bind_udp()?;
    let (incoming, outgoing) = socket.stream(None).map_err(name)?;
    outgoing.subscribe().block();
    outgoing.check_send().map_err(name)?;
    let datagram = OutgoingDatagram { data: text.into(), remote_address: Some(place(parse(address)?, port)) };
    outgoing.send(&[datagram]).map_err(name)?;
    // An error of the datagram shows now.
    outgoing.subscribe().block();
    outgoing.check_send().map_err(name)?;
    incoming.subscribe().block();
    let received = incoming.receive(1).map_err(name)?;
    received.first().map(|answer| String::from_utf8_lossy(&answer.data).into_owned()).ok_or_else(nothing)
}

fn hoard(address: &str, port: u16, count: u32) -> String {
    for made in 0..count {
        match parse(address).and_then(|address| connect(address, port)) {
            // The guest never closes it.
            Ok(connection) => mem::forget(connection),
            Err(error) => return format!("{made} connections, then: {error}"),
        }
    }
    format!("{count} connections")
}

fn flood(address: &str, port: u16) -> Result<String, String> {
    let (_socket, _input, output) = connect(parse(address)?, port)?;
    loop {
        output.blocking_write_and_flush(&[b'x'; 4096]).map_err(|error| format!("{error:?}"))?;
    }
}

/// Any address of this machine.
fn any(port: u16) -> IpSocketAddress {
    place(Ipv4Addr::UNSPECIFIED, port)
}

fn place(address: Ipv4Addr, port: u16) -> IpSocketAddress {
    let [a, b, c, d] = address.octets();
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) })
}

fn connect(address: Ipv4Addr, port: u16) -> Result<(TcpSocket, InputStream, OutputStream), String> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(name)?;
    socket.start_connect(&instance_network(), place(address, port)).map_err(name)?;
    loop {
        match socket.finish_connect() {
            Ok((input, output)) => return Ok((socket, input, output)),
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            Err(error) => return Err(name(error)),
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
