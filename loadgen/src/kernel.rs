//! What the kernel counted for every connection of a server: one `sock_diag` dump, no descriptors.
//!
//! `TCP_INFO` of all sockets of a port, both ends, without access to any library's sockets (METHOD
//! M14). Own code: the request is 72 bytes, and the counters are read at the offsets of the
//! kernel's own header (include/uapi/linux/inet_diag.h and tcp.h).

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context, Result};
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use results::run::KernelCounts;

const REQUEST: u16 = 20; // SOCK_DIAG_BY_FAMILY
const DUMP: u16 = 0x301; // NLM_F_REQUEST | NLM_F_DUMP
const DONE: u16 = 3; // NLMSG_DONE
const ERROR: u16 = 2; // NLMSG_ERROR
const INFO: u16 = 2; // INET_DIAG_INFO
const MESSAGE: usize = 72; // sizeof(struct inet_diag_msg)
const HEADER: usize = 16; // sizeof(struct nlmsghdr)
const TCP: u8 = 6;
const TCP_INFO_BYTES: usize = 256;
/// `TCP_TIME_WAIT`, `TCP_CLOSE_WAIT`, `TCP_LAST_ACK` and `TCP_CLOSING` (include/net/tcp_states.h): the peer has
/// sent its FIN.
const FIN_CAME: [u8; 4] = [6, 8, 9, 11];
const ESTABLISHED: u32 = 1 << 1;
const LISTENING: u32 = 1 << 10;

/// Which end of the connections the port belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

/// Counters of one end of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    bytes_received: u64,
    bytes_sent: u64,
    bytes_retransmitted: u64,
    segments_in: u64,
    segments_out: u64,
    data_segments_in: u64,
    data_segments_out: u64,
    retransmits: u64,
    receive_queue: u64,
    send_queue: u64,
}

/// Sums over all established connections to these ports on loopback (IPv4).
///
/// # Errors
/// The kernel has no `sock_diag`, or refuses.
pub fn counts(ports: &[u16]) -> Result<KernelCounts> {
    let mut sum = KernelCounts::default();
    for port in ports {
        let clients = dump(*port, End::Client).context("cannot read TCP_INFO of the generator's sockets")?;
        for one in &clients {
            sum.down_bytes += one.bytes_received;
            sum.up_bytes += one.bytes_sent - one.bytes_retransmitted;
            sum.down_segments += one.segments_in;
            sum.up_segments += one.segments_out;
            sum.down_data_segments += one.data_segments_in;
            sum.up_data_segments += one.data_segments_out;
        }
        let servers = dump(*port, End::Server).context("cannot read TCP_INFO of the server's sockets")?;
        for one in &servers {
            sum.server_sent_bytes += one.bytes_sent - one.bytes_retransmitted;
            sum.retransmits += one.retransmits;
        }
    }
    Ok(sum)
}

/// Bytes that wait in the servers' send queues, and in the clients' receive queues.
///
/// # Errors
/// The kernel has no `sock_diag`, or refuses.
pub fn queued(ports: &[u16]) -> Result<(u64, u64)> {
    let (mut sending, mut received) = (0, 0);
    for port in ports {
        sending += dump(*port, End::Server)?.iter().map(|one| one.send_queue).sum::<u64>();
        received += dump(*port, End::Client)?.iter().map(|one| one.receive_queue).sum::<u64>();
    }
    Ok((sending, received))
}

/// What the kernel counted for one connection of this process's own, at the client's end, and how many bytes
/// of it wait to be read. Of connections that close before a dump could show them.
///
/// # Errors
/// The kernel does not tell.
pub fn of(stream: &TcpStream) -> io::Result<(KernelCounts, u64)> {
    loop {
        let (before, unread) = (counters(&tcp_info(stream)?), unread(stream)?);
        let after = tcp_info(stream)?;
        let one = counters(&after);
        // Else something came between the two questions.
        if before == one {
            // METHOD M9: "tcpi_bytes_received counts a FIN".
            let fin = u64::from(FIN_CAME.contains(&after[0]));
            let counts = KernelCounts {
                down_bytes: one.bytes_received - fin,
                up_bytes: one.bytes_sent - one.bytes_retransmitted,
                down_segments: one.segments_in,
                up_segments: one.segments_out,
                down_data_segments: one.data_segments_in,
                up_data_segments: one.data_segments_out,
                ..KernelCounts::default()
            };
            return Ok((counts, unread));
        }
    }
}

/// `struct tcp_info` of a socket, zeros beyond what this kernel knows.
#[expect(unsafe_code, reason = "neither nix, rustix nor socket2 reads TCP_INFO")]
fn tcp_info(stream: &TcpStream) -> io::Result<[u8; TCP_INFO_BYTES]> {
    let mut info = [0; TCP_INFO_BYTES];
    let mut length = libc::socklen_t::try_from(TCP_INFO_BYTES).expect("a small constant");
    // SAFETY: the kernel writes at most `length` bytes to `info`, which are there; any bytes are a valid `u8`.
    let asked = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if asked == 0 { Ok(info) } else { Err(io::Error::last_os_error()) }
}

/// Bytes that wait to be read; the end of the connection is none.
fn unread(stream: &TcpStream) -> io::Result<u64> {
    let mut room = vec![0; 1 << 16];
    loop {
        match stream.peek(&mut room) {
            Ok(length) if length < room.len() => return Ok(length as u64),
            Ok(_) => room.resize(2 * room.len(), 0),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(err) => return Err(err),
        }
    }
}

/// Connections to a port of this machine that wait to be accepted.
///
/// # Errors
/// The kernel has no `sock_diag`, or refuses.
pub fn accept_queue(port: u16) -> Result<u64> {
    // sock_diag(7), `idiag_rqueue`: of a listening socket "the number of pending connections".
    Ok(dump_in(LISTENING, port, End::Server)?.iter().map(|one| one.receive_queue).sum())
}

/// Connections that the kernel has dropped because a listen queue was full, on the whole machine (`nstat`'s
/// `TcpExtListenOverflows`).
///
/// # Errors
/// The kernel does not tell.
pub fn listen_overflows() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat").context("cannot read /proc/net/netstat")?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut both = names.split(' ').zip(values.split(' '));
    let found = both.find(|(name, _)| *name == "ListenOverflows").and_then(|(_, value)| value.parse().ok());
    found.context("/proc/net/netstat does not tell of listen queues that overflow")
}

fn dump(port: u16, end: End) -> Result<Vec<Counters>> {
    dump_in(ESTABLISHED, port, end)
}

fn dump_in(states: u32, port: u16, end: End) -> Result<Vec<Counters>> {
    let netlink: OwnedFd =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    sendto(netlink.as_raw_fd(), &request(states, port, end), &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let (mut buffer, mut found) = (vec![0u8; 1 << 18], Vec::new());
    loop {
        let length = recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if read_messages(&buffer[..length], &mut found)? {
            return Ok(found);
        }
    }
}

/// `nlmsghdr` and `inet_diag_req_v2`, IPv4 TCP, sockets in these states, one port.
fn request(states: u32, port: u16, end: End) -> Vec<u8> {
    let mut out = Vec::with_capacity(MESSAGE);
    out.extend(72u32.to_ne_bytes());
    out.extend(REQUEST.to_ne_bytes());
    out.extend(DUMP.to_ne_bytes());
    out.extend([0; 8]); // sequence and port id
    out.extend([2 /* AF_INET */, TCP, 1 << (INFO - 1), 0]);
    out.extend(states.to_ne_bytes());
    let (source, destination) = match end {
        End::Server => (port, 0),
        End::Client => (0, port),
    };
    out.extend(source.to_be_bytes());
    out.extend(destination.to_be_bytes());
    out.extend([0; 36]); // addresses and interface: any
    out.extend([0xFF; 8]); // cookie: any
    out
}

/// Adds the sockets of one datagram; true when the dump is complete.
fn read_messages(mut datagram: &[u8], found: &mut Vec<Counters>) -> io::Result<bool> {
    while datagram.len() >= HEADER {
        let length = number::<4>(datagram, 0) as usize;
        let body =
            datagram.get(HEADER..length).ok_or_else(|| io::Error::other("a netlink message is cut"))?;
        match u16::try_from(number::<2>(datagram, 4)).unwrap_or(0) {
            DONE => return Ok(true),
            ERROR => {
                let code = i32::from_ne_bytes(body[..4].try_into().expect("an error message holds its code"));
                return Err(io::Error::from_raw_os_error(-code));
            }
            _ => found.extend(info(body).map(|info| Counters {
                receive_queue: number::<4>(body, 56),
                send_queue: number::<4>(body, 60),
                ..counters(info)
            })),
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// The `INET_DIAG_INFO` attribute of one socket.
fn info(body: &[u8]) -> Option<&[u8]> {
    let mut attributes = body.get(MESSAGE..)?;
    while attributes.len() >= 4 {
        let length = number::<2>(attributes, 0) as usize;
        if number::<2>(attributes, 2) == u64::from(INFO) {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.next_multiple_of(4).max(4)..)?;
    }
    None
}

/// Fields of `struct tcp_info` at their offsets; a kernel too old for a field reads as 0.
fn counters(info: &[u8]) -> Counters {
    Counters {
        retransmits: number::<4>(info, 100),
        bytes_received: number::<8>(info, 128),
        segments_out: number::<4>(info, 136),
        segments_in: number::<4>(info, 140),
        data_segments_in: number::<4>(info, 152),
        data_segments_out: number::<4>(info, 156),
        bytes_sent: number::<8>(info, 200),
        bytes_retransmitted: number::<8>(info, 208),
        ..Counters::default()
    }
}

/// `N` bytes at `offset` as a number of this machine's order.
fn number<const N: usize>(bytes: &[u8], offset: usize) -> u64 {
    let Some(field) = bytes.get(offset..offset + N) else { return 0 };
    let mut wide = [0; 8];
    if cfg!(target_endian = "little") {
        wide[..N].copy_from_slice(field);
    } else {
        wide[8 - N..].copy_from_slice(field);
    }
    u64::from_ne_bytes(wide)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn every_byte_of_both_directions_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let before = counts(&[port]).unwrap();
        assert_eq!((before.down_bytes, before.up_bytes), (0, 0));
        client.write_all(&[1; 321]).unwrap();
        server.read_exact(&mut [0; 321]).unwrap();
        server.write_all(&[1; 12_345]).unwrap();
        client.read_exact(&mut [0; 12_345]).unwrap();
        let steady = counts(&[port]).unwrap() - before;
        assert_eq!((steady.down_bytes, steady.up_bytes, steady.server_sent_bytes), (12_345, 321, 12_345));
        assert_eq!(steady.up_data_segments, 1);
        assert!(steady.down_data_segments >= 1 && steady.retransmits == 0);
    }

    /// What is read, what waits and the end of the connection, each counted as what it is.
    #[test]
    fn a_connection_of_ones_own_tells_what_came_and_what_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(
            of(&client).unwrap(),
            (KernelCounts { down_segments: 1, up_segments: 2, ..KernelCounts::default() }, 0)
        );
        client.write_all(b"hello").unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        server.write_all(&[7; 300]).unwrap();
        client.set_nonblocking(false).unwrap();
        client.read_exact(&mut [0; 100]).unwrap();
        client.set_nonblocking(true).unwrap();
        let (counts, unread) = of(&client).unwrap();
        assert_eq!((counts.down_bytes, counts.up_bytes, unread), (300, 5, 200));
        drop(server);
        client.set_nonblocking(false).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        let (counts, unread) = of(&client).unwrap();
        assert_eq!((counts.down_bytes, unread), (300, 0));
    }

    #[test]
    fn what_netlink_says_wrongly_does_not_panic() {
        assert!(read_messages(&[255; 32], &mut Vec::new()).is_err());
        assert!(!read_messages(&[0; 3], &mut Vec::new()).unwrap());
        assert_eq!(info(&[0; 80]), None);
    }
}
