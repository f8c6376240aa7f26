//! TLS without I/O: rustls's own server on the other end, its bytes in every split.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use scenarios::Carrier;
use tokio_rustls::rustls::ServerConnection;

use crate::failure::Failure;
use crate::lanes::tls::{Tls, trusting};

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// RFC 8446 5.2: a header of 5 bytes, the content's type in 1, a tag of 16.
const RECORD: u64 = 5 + 1 + 16;

/// Both ends, and what the client has received.
struct Ends {
    tls: Tls,
    server: ServerConnection,
    split: usize,
    /// What records held, and the place on the wire behind each.
    taken: Vec<(Vec<u8>, u64)>,
}

impl Ends {
    fn new(split: usize) -> Self {
        let secured = servers::tls::secure(Carrier::H1, SERVER).unwrap();
        Self::trusting(&secured.certificate, &secured, split)
    }

    fn trusting(certificate: &[u8], secured: &servers::tls::Secured, split: usize) -> Self {
        let config = trusting(certificate, Carrier::H1).unwrap();
        let tls = Tls::new(config, SERVER, b"GET /".to_vec()).unwrap();
        let server = ServerConnection::new(secured.acceptor.config().clone()).unwrap();
        Self { tls, server, split, taken: Vec::new() }
    }

    /// Hands bytes over until neither has any; the bytes that the client received.
    fn exchange(&mut self) -> Result<u64, Failure> {
        let mut received = 0;
        loop {
            let up = std::mem::take(self.tls.sealed());
            let mut down = Vec::new();
            self.server.read_tls(&mut up.as_slice()).unwrap();
            let _alert_is_sent = self.server.process_new_packets();
            while self.server.wants_write() {
                self.server.write_tls(&mut down).unwrap();
            }
            received += down.len() as u64;
            for read in down.chunks_mut(self.split) {
                let taken = &mut self.taken;
                self.tls.open(read, |plain, end| {
                    taken.push((plain.to_vec(), end));
                    Ok(())
                })?;
            }
            if up.is_empty() && down.is_empty() {
                return Ok(received);
            }
        }
    }

    fn said_up(&mut self) -> Vec<u8> {
        let mut said = vec![0; 1_000];
        let length = self.server.reader().read(&mut said).unwrap_or(0);
        said.truncate(length);
        said
    }
}

#[test]
fn every_record_has_its_place_on_the_wire_in_every_split() {
    for split in [1, 2, 5, 21, 100, 4_096] {
        let mut ends = Ends::new(split);
        let before = ends.exchange().unwrap();
        assert_eq!((ends.said_up(), ends.taken.len()), (b"GET /".to_vec(), 0));
        assert_eq!((ends.tls.received(), ends.tls.overhead()), (before, before));
        let records = ends.tls.records();
        let mut end = before;
        let mut expected = Vec::new();
        for length in [1, 100, 16_384] {
            ends.server.writer().write_all(&vec![b'x'; length]).unwrap();
            end += RECORD + length as u64;
            expected.push((vec![b'x'; length], end));
        }
        ends.exchange().unwrap();
        assert!(ends.taken == expected, "split into {split}");
        assert_eq!(ends.tls.records() - records, 3);
        assert_eq!(ends.tls.overhead(), before + 3 * RECORD);
        // A record that is not complete is no overhead yet.
        ends.server.writer().write_all(b"split").unwrap();
        let mut record = Vec::new();
        ends.server.write_tls(&mut record).unwrap();
        let (first, second) = record.split_at_mut(10);
        ends.tls.open(first, |_, _| Ok(())).unwrap();
        assert_eq!((ends.tls.overhead(), ends.tls.unfinished()), (before + 3 * RECORD, 10));
        ends.tls.open(second, |_, _| Ok(())).unwrap();
        assert_eq!((ends.tls.overhead(), ends.tls.unfinished()), (before + 4 * RECORD, 0));
        ends.tls.seal(b"pong".to_vec()).unwrap();
        assert_eq!(ends.tls.sealed().len() as u64, RECORD + 4);
        ends.exchange().unwrap();
        assert_eq!(ends.said_up(), b"pong");
        assert_eq!(ends.tls.agreed(), "TLS 1.3, TLS13_AES_256_GCM_SHA384, X25519");
    }
}

/// RFC 8446 6.1: "Any data received after a closure alert has been received MUST be ignored"; without
/// one "the recipient [...] cannot tell" a truncation.
#[test]
fn a_goodbye_ends_the_stream_and_a_cut_breaks_it() {
    let mut ends = Ends::new(7);
    ends.exchange().unwrap();
    assert_eq!(ends.tls.at_eof().kind(), "protocol");
    ends.server.send_close_notify();
    assert_eq!(ends.exchange(), Err(Failure::Ended));
    assert_eq!(ends.tls.at_eof(), Failure::Ended);
}

#[test]
fn a_stranger_and_a_forgery_are_refused() {
    let secured = servers::tls::secure(Carrier::H1, SERVER).unwrap();
    let stranger = servers::tls::secure(Carrier::H1, SERVER).unwrap();
    let failure = Ends::trusting(&stranger.certificate, &secured, 100).exchange().unwrap_err().to_string();
    assert!(failure.contains("TLS: invalid peer certificate"), "{failure}");

    let mut ends = Ends::new(100);
    ends.exchange().unwrap();
    let mut forged = [b"\x17\x03\x03\x00\x20".to_vec(), vec![0; 32]].concat();
    let failure = ends.tls.open(&mut forged, |_, _| Ok(())).unwrap_err().to_string();
    assert!(failure.contains("TLS: cannot decrypt"), "{failure}");

    let mut plain = b"HTTP/1.1 400 Bad Request\r\n".to_vec();
    let failure = Ends::new(100).tls.open(&mut plain, |_, _| Ok(())).unwrap_err().to_string();
    assert!(failure.contains("does not speak TLS"), "{failure}");
}
