//! The client's end of TLS 1.3, without I/O: rustls's unbuffered connection, fed record by record.
//!
//! Record by record, because then each event's place on the wire is known and the bytes that TLS adds
//! are counted exactly; unbuffered, because a buffer per connection would be most of its memory. The
//! server's certificate is verified, no session is resumed: every connection pays the whole handshake.

use std::net::IpAddr;
use std::sync::Arc;

use scenarios::Carrier;
use tokio_rustls::rustls::client::{Resumption, UnbufferedClientConnection};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::failure::Failure;

/// Bytes before a record's content: type, version, length (RFC 8446 5.1).
const HEADER: usize = 5;

/// The longest content of a protected record: "The length MUST NOT exceed 2^14 + 256 bytes" (RFC
/// 8446 5.2).
const MAX_CONTENT: usize = (1 << 14) + 256;

/// A connection's TLS.
pub struct Tls {
    connection: UnbufferedClientConnection,
    /// The unfinished record, or handshake message, at the end of what was received.
    rest: Vec<u8>,
    /// Plaintext that waits for the handshake.
    unsealed: Vec<u8>,
    /// Records that wait to be sent.
    sealed: Vec<u8>,
    received: u64,
    opened: u64,
    records: u64,
    closed: bool,
}

/// Trusts one certificate, and offers the carrier's protocol.
///
/// # Errors
/// It is no certificate.
pub fn trusting(certificate: &[u8], carrier: Carrier) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate.to_vec())).map_err(|err| format!("the certificate: {err}"))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|err| format!("TLS 1.3: {err}"))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = servers::tls::protocols(carrier);
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

impl Tls {
    /// A handshake towards `server`; what follows it first is `request`.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(config: Arc<ClientConfig>, server: IpAddr, request: Vec<u8>) -> Result<Self, Failure> {
        let connection = UnbufferedClientConnection::new(config, ServerName::IpAddress(server.into()))
            .map_err(|err| broken(&err))?;
        let mut tls = Self {
            connection,
            rest: Vec::new(),
            unsealed: request,
            sealed: Vec::new(),
            received: 0,
            opened: 0,
            records: 0,
            closed: false,
        };
        tls.turn(&mut [], &mut |_| Ok(()))?;
        Ok(tls)
    }

    /// Takes the bytes of one read; `take` gets what each record holds, and how many bytes of the
    /// connection there were up to its end.
    ///
    /// # Errors
    /// [`Failure::Ended`] after the peer's close_notify; those of `take`; anything but TLS.
    pub fn open(
        &mut self,
        input: &mut [u8],
        mut take: impl FnMut(&[u8], u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let before = self.received - self.rest.len() as u64;
        self.received += input.len() as u64;
        let taken;
        if self.rest.is_empty() {
            let done;
            (done, taken) = self.walk(input, before, &mut take)?;
            self.rest.extend_from_slice(&input[done..]);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend_from_slice(input);
            let done;
            (done, taken) = self.walk(&mut bytes, before, &mut take)?;
            if done < bytes.len() {
                bytes.drain(..done);
                self.rest = bytes;
            }
        }
        if self.closed { taken.and(Err(Failure::Ended)) } else { taken }
    }

    /// Walks over whole records; returns how many bytes are done with, and what became of what they hold: a
    /// stream may end in a record, and the connection go on behind it. A handshake message may span records, and
    /// then they are given again with the next.
    fn walk(
        &mut self,
        bytes: &mut [u8],
        before: u64,
        take: &mut impl FnMut(&[u8], u64) -> Result<(), Failure>,
    ) -> Result<(usize, Result<(), Failure>), Failure> {
        let (mut done, mut end, mut taken) = (0, 0, Ok(()));
        while let Some(length) = record(&bytes[end..])?.filter(|_| taken.is_ok()) {
            end += length;
            self.records += 1;
            let mut opened = 0;
            done += self.turn(&mut bytes[done..end], &mut |plain| {
                opened += plain.len() as u64;
                taken = std::mem::replace(&mut taken, Ok(())).and_then(|()| take(plain, before + end as u64));
                Ok(())
            })?;
            self.opened += opened;
        }
        Ok((done, taken))
    }

    /// Does all that rustls can do with these bytes; returns how many it is done with.
    fn turn(
        &mut self,
        bytes: &mut [u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let Self { connection, unsealed, sealed, closed, .. } = self;
        let mut done = 0;
        loop {
            let UnbufferedStatus { discard, state } = connection.process_tls_records(&mut bytes[done..]);
            done += discard;
            match state.map_err(|err| broken(&err))? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        take(record.map_err(|err| broken(&err))?.payload)?;
                    }
                }
                ConnectionState::EncodeTlsData(state) => encode(state, sealed)?,
                ConnectionState::TransmitTlsData(state) => state.done(),
                ConnectionState::PeerClosed => *closed = true,
                ConnectionState::WriteTraffic(state) if !unsealed.is_empty() => {
                    encrypt(state, &std::mem::take(unsealed), sealed)?;
                }
                ConnectionState::WriteTraffic(_)
                | ConnectionState::BlockedHandshake
                | ConnectionState::Closed
                | ConnectionState::ReadEarlyData(_)
                | _ => return Ok(done),
            }
        }
    }

    /// Whether the handshake is complete on this side.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Seals what is to be sent, or keeps it until the handshake is complete.
    ///
    /// # Errors
    /// The connection takes no more.
    pub fn seal(&mut self, mut plain: Vec<u8>) -> Result<(), Failure> {
        self.unsealed.append(&mut plain);
        self.turn(&mut [], &mut |_| Ok(())).map(drop)
    }

    /// Records that wait to be sent; the caller removes what it has sent.
    pub const fn sealed(&mut self) -> &mut Vec<u8> {
        &mut self.sealed
    }

    /// Bytes received that were not the lane's own: record headers, tags, handshake.
    #[must_use]
    pub const fn overhead(&self) -> u64 {
        self.received - self.unfinished() - self.opened
    }

    /// Bytes received of which nothing can be told yet: their record is not complete.
    #[must_use]
    pub const fn unfinished(&self) -> u64 {
        self.rest.len() as u64
    }

    /// Bytes received.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Records received.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Why the stream ended when the connection did: without a close_notify it was cut off (RFC 8446
    /// 6.1).
    #[must_use]
    pub fn at_eof(&self) -> Failure {
        match self.closed {
            true => Failure::Ended,
            false => Failure::Protocol("TLS: the connection ended without close_notify".into()),
        }
    }

    /// What was agreed on, once the handshake is complete.
    #[must_use]
    pub fn agreed(&self) -> String {
        let suite = self.connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
        let group =
            self.connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
        let parts = [Some("TLS 1.3".to_owned()), suite, group];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("received", &self.received).field("opened", &self.opened).finish()
    }
}

/// Length of the record at the front, if it is whole.
fn record(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    // RFC 8446 5.1: change_cipher_spec(20), alert(21), handshake(22), application_data(23).
    if !(20..=23).contains(&header[0]) || length > MAX_CONTENT {
        return Err(Failure::Protocol("TLS: the peer does not speak TLS".into()));
    }
    Ok((bytes.len() >= HEADER + length).then_some(HEADER + length))
}

/// Appends a handshake message; rustls says how much room it needs when it gets none.
fn encode<D>(mut state: EncodeTlsData<'_, D>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let Err(EncodeError::InsufficientSize(needed)) = state.encode(&mut []) else { return Ok(()) };
    let at = out.len();
    out.resize(at + needed.required_size, 0);
    let written = state.encode(&mut out[at..]).map_err(|err| Failure::Protocol(format!("TLS: {err}")))?;
    out.truncate(at + written);
    Ok(())
}

/// Appends records that hold `plain`.
fn encrypt<D>(mut state: WriteTraffic<'_, D>, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
    let Err(EncryptError::InsufficientSize(needed)) = state.encrypt(plain, &mut []) else { return Ok(()) };
    let at = out.len();
    out.resize(at + needed.required_size, 0);
    let written =
        state.encrypt(plain, &mut out[at..]).map_err(|err| Failure::Protocol(format!("TLS: {err}")))?;
    out.truncate(at + written);
    Ok(())
}

fn broken(err: &tokio_rustls::rustls::Error) -> Failure {
    Failure::Protocol(format!("TLS: {err}"))
}
