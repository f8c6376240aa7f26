//! The client end of a TCP connection: every option of the scenario set before connecting, and
//! read back from the kernel afterwards.
//!
//! Apart from the lanes, because the twins are only comparable on equal sockets (METHOD M15);
//! a stack that opens its own sockets (reqwest) cannot pass here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use results::run::Sockets;
use scenarios::{Count, Scenario};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// Connects with the scenario's congestion control, buffer sizes and `TCP_NODELAY`.
///
/// # Errors
/// An option is refused, the source address is not ours, or nobody listens.
pub async fn dial(address: SocketAddr, source: Option<IpAddr>, scenario: &Scenario) -> io::Result<TcpStream> {
    let socket = prepare(address, source, scenario)?;
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}

fn prepare(address: SocketAddr, source: Option<IpAddr>, scenario: &Scenario) -> io::Result<Socket> {
    let bytes = |count: Count| usize::try_from(count.0).unwrap_or(usize::MAX);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_congestion(scenario.congestion.as_bytes())?;
    socket.set_send_buffer_size(bytes(scenario.send_buffer))?;
    socket.set_recv_buffer_size(bytes(scenario.receive_buffer))?;
    if let Some(source) = source {
        // The port is chosen when connecting: the same one serves towards several servers.
        setsockopt(&socket.as_fd(), IpBindAddressNoPort, &true)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    Ok(socket)
}

/// The options of a connected socket as the kernel has them, beside the size of the buffer that
/// user space reads into.
///
/// # Errors
/// The kernel does not tell.
pub fn facts(stream: &impl AsFd, read_buffer: usize) -> io::Result<Sockets> {
    let socket = SockRef::from(stream);
    let congestion = socket.tcp_congestion()?;
    let name = congestion.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Sockets {
        congestion: String::from_utf8_lossy(name).into_owned(),
        nodelay: socket.tcp_nodelay()?,
        mss: socket.tcp_mss()?,
        send_buffer_bytes: socket.send_buffer_size()? as u64,
        receive_buffer_bytes: socket.recv_buffer_size()? as u64,
        read_buffer_bytes: read_buffer as u64,
        backlog: 0,
        tls: None,
        http2: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let overrides = [set("send_buffer", "32k"), set("receive_buffer", "64k"), set("congestion", "reno")];
        Scenario::load("smoke", &overrides).unwrap().1
    }

    #[tokio::test]
    async fn options_are_set_before_connecting_and_read_back() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = "127.0.0.9".parse().unwrap();
        let stream = dial(listener.local_addr().unwrap(), Some(source), &scenario()).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), source);
        let facts = facts(&stream, 5).unwrap();
        assert_eq!((facts.congestion.as_str(), facts.nodelay, facts.read_buffer_bytes), ("reno", true, 5));
        // socket(7): "The kernel doubles this value (to allow space for bookkeeping overhead)".
        assert_eq!((facts.send_buffer_bytes, facts.receive_buffer_bytes), (64_000, 128_000));
        assert!(facts.mss > 0);
    }

    #[tokio::test]
    async fn what_cannot_be_is_an_error() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(dial(free, None, &scenario()).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let unknown = Scenario { congestion: "carrier-pigeon".into(), ..scenario() };
        assert_eq!(dial(free, None, &unknown).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
