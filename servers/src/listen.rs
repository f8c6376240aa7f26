//! TCP listeners with every option set explicitly and read back from the kernel, and TLS on them.
//!
//! The twins get the same options (METHOD M15); set on the listener, the kernel hands them to each
//! connection it accepts, before its first segment leaves.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use scenarios::Scenario;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::contract::SocketFacts;
use crate::lanes::Service;
use crate::tls::Secured;
use crate::wire::{Meter, Metered};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
pub const BACKLOG: u32 = 4096;

/// How long accepting rests when the process is out of descriptors.
const REST: Duration = Duration::from_millis(20);

/// A listener and what the kernel says about it.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
    /// Options, read back.
    pub facts: SocketFacts,
    /// How long what is sent may be unacknowledged before the kernel gives a connection up; zero for its own patience.
    silence: Duration,
}

/// Listens with the scenario's socket options. Needs a running tokio runtime.
///
/// # Errors
/// Names the address and what to do: a taken port, an option that this kernel does not take.
pub fn listen(bind: SocketAddr, scenario: &Scenario, read_buffer_bytes: usize) -> Result<Listening> {
    let socket = open(bind, scenario).with_context(|| format!("cannot listen on {bind}"))?;
    let facts = facts(&SockRef::from(&socket), read_buffer_bytes)
        .with_context(|| format!("cannot read the socket options of {bind}"))?;
    let listener =
        TcpListener::from_std(socket.into()).with_context(|| format!("cannot listen on {bind}"))?;
    let address = listener.local_addr().with_context(|| format!("cannot tell the address of {bind}"))?;
    let silence = scenario.outage.as_ref().map_or(Duration::ZERO, |outage| outage.silence.0);
    Ok(Listening { listener, address, facts, silence })
}

fn open(bind: SocketAddr, scenario: &Scenario) -> Result<Socket> {
    let size = |bytes: u64| usize::try_from(bytes).context("buffer size does not fit this machine");
    let socket = Socket::new(Domain::for_address(bind), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(size(scenario.send_buffer.0)?)?;
    socket.set_recv_buffer_size(size(scenario.receive_buffer.0)?)?;
    socket.set_tcp_congestion(scenario.congestion.as_bytes()).with_context(|| {
        let known = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control");
        format!(
            "congestion control `{}` is not available; this kernel has: {}",
            scenario.congestion,
            known.unwrap_or_default().trim()
        )
    })?;
    if scenario.mss.0 > 0 {
        let mss = u32::try_from(scenario.mss.0).context("`mss` does not fit a segment")?;
        socket.set_tcp_mss(mss).with_context(|| format!("cannot set a segment size of {mss} bytes"))?;
    }
    socket.bind(&bind.into()).map_err(|err| explain(&err))?;
    socket.listen(i32::try_from(BACKLOG).expect("a small constant")).map_err(|err| explain(&err))?;
    Ok(socket)
}

fn explain(err: &io::Error) -> anyhow::Error {
    use nix::errno::Errno;
    let advice = [
        (
            Errno::EADDRINUSE,
            ": the port is taken; end what holds it (`ss -ltnp` names it), or choose another (port 0 takes a free one)",
        ),
        (Errno::EACCES, ": ports below 1024 need privilege; choose a higher one"),
        (Errno::EADDRNOTAVAIL, ": no interface of this machine has this address"),
    ];
    let known = advice.iter().find(|(errno, _)| err.raw_os_error() == Some(*errno as i32));
    anyhow!("{err}{}", known.map_or("", |(_, advice)| *advice))
}

/// Options of a socket, read back from the kernel.
///
/// # Errors
/// The kernel does not tell one of them.
pub fn facts(socket: &SockRef<'_>, read_buffer_bytes: usize) -> io::Result<SocketFacts> {
    let congestion = socket.tcp_congestion()?;
    let name = congestion.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(SocketFacts {
        congestion: String::from_utf8_lossy(name).into_owned(),
        nodelay: socket.tcp_nodelay()?,
        mss: socket.tcp_mss()?,
        send_buffer_bytes: socket.send_buffer_size()? as u64,
        receive_buffer_bytes: socket.recv_buffer_size()? as u64,
        read_buffer_bytes: read_buffer_bytes as u64,
        backlog: effective_backlog(),
    })
}

fn effective_backlog() -> u32 {
    let cap = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    cap.ok().and_then(|cap| cap.trim().parse().ok()).map_or(BACKLOG, |cap: u32| cap.min(BACKLOG))
}

impl Listening {
    /// Accepts and serves connections for ever, inside TLS if `secured`; what cannot be accepted is
    /// counted.
    pub async fn serve(self, meter: Arc<Meter>, service: Service, secured: Option<Secured>) {
        let read_buffer = usize::try_from(self.facts.read_buffer_bytes).expect("it was a usize");
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    meter.first_socket(|| facts(&SockRef::from(&stream), read_buffer).unwrap_or_default());
                    self.bound_silence(&stream, &meter);
                    let stream = Metered::new(stream, Arc::clone(&meter), peer.port());
                    let (service, meter) = (service.clone(), Arc::clone(&meter));
                    match secured.clone() {
                        None => service.spawn(stream, meter, None),
                        Some(secured) => drop(tokio::spawn(shake_hands(secured, stream, service, meter))),
                    }
                }
                Err(err) => {
                    meter.refuse(&format!("accept: {err}"));
                    if is_exhaustion(&err) {
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        }
    }
}

impl Listening {
    /// Lets the kernel give up a connection whose client has stopped to acknowledge (TCP_USER_TIMEOUT, RFC 5482): with
    /// heartbeats there is always something to acknowledge. Not set on the listener, where it would bound handshakes
    /// that wait to be accepted.
    fn bound_silence(&self, stream: &TcpStream, meter: &Meter) {
        if !self.silence.is_zero()
            && let Err(err) = SockRef::from(stream).set_tcp_user_timeout(Some(self.silence))
        {
            meter.refuse(&format!("TCP_USER_TIMEOUT: {err}"));
        }
    }
}

/// The TLS handshake, in a task that ends with it: the connection's own task stays small.
async fn shake_hands(secured: Secured, stream: Metered<TcpStream>, service: Service, meter: Arc<Meter>) {
    match tokio::time::timeout(secured.patience, secured.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            service.spawn(stream, meter, protocol.as_deref());
        }
        Ok(Err(_)) => meter.refuse("TLS handshake"),
        Err(_) => meter.refuse("slow TLS handshake"),
    }
}

/// Whether accepting again at once would only fail again.
fn is_exhaustion(err: &io::Error) -> bool {
    use nix::errno::Errno;
    let out_of = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    out_of.iter().any(|errno| err.raw_os_error() == Some(*errno as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(key: &str, value: &str) -> Scenario {
        Scenario::load("smoke", &[(key.into(), value.into())]).unwrap().1
    }

    fn at(bind: SocketAddr, scenario: &Scenario) -> Result<Listening> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        listen(bind, scenario, 1024)
    }

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn what_is_set_is_what_the_kernel_says() {
        let facts = at(ANY, &scenario("mss", "1400")).unwrap().facts;
        assert_eq!((facts.congestion.as_str(), facts.nodelay, facts.mss), ("cubic", true, 1400));
        assert_eq!(facts.read_buffer_bytes, 1024);
        assert!((1..=BACKLOG).contains(&facts.backlog));
    }

    #[test]
    fn errors_name_the_address_and_what_to_do() {
        let smoke = scenario("mss", "1400");
        let holder = std::net::TcpListener::bind(ANY).unwrap();
        let taken = holder.local_addr().unwrap();
        let text = format!("{:#}", at(taken, &smoke).unwrap_err());
        assert!(text.contains(&taken.to_string()) && text.contains("taken"), "{text}");
        let text = format!("{:#}", at(ANY, &scenario("congestion", "warp")).unwrap_err());
        assert!(text.contains("`warp` is not available; this kernel has: "), "{text}");
    }
}
