//! A stream of a connection: where it stands, and the decoder of what its DATA frames carry.

use httparse::{Header, Response};

use super::hpack::Field;
use super::window::{Receiving, Sending};
use crate::failure::Failure;
use crate::lanes::Bytes;
use crate::lanes::decoder::{Decoder, Wire};
use scenarios::Event;

/// Where a stream stands (RFC 9113 5.1, as far as this side's requests go).
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every stream is open; a box would only add to it")]
pub enum State {
    /// Not asked for yet.
    Idle,
    /// Its response is awaited.
    Asked,
    /// Its response has begun.
    Open(Decoder),
    /// The peer ended it.
    Ended,
    /// This side left it: what is still under way is ignored.
    Left,
}

/// A stream of this side's.
#[derive(Debug)]
pub struct Stream {
    pub state: State,
    pub window: Receiving,
    /// What the peer lets us send.
    pub sending: Sending,
    /// This side may still send on it.
    pub speaks: bool,
    /// Messages of its client have gone on it, so what frames them is counted.
    pub says: bool,
    /// What its decoder had received and counted at the last look.
    received: u64,
}

impl Stream {
    pub fn new(window: u32) -> Self {
        Self {
            state: State::Idle,
            window: Receiving::new(window),
            sending: Sending::new(scenarios::http2::FIRST_WINDOW),
            speaks: false,
            says: false,
            received: 0,
        }
    }

    pub const fn is_opening(&self) -> bool {
        matches!(self.state, State::Idle | State::Asked)
    }

    pub const fn was_asked(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Ended | State::Left)
    }

    pub fn open(&mut self, wire: Wire) {
        self.state = State::Open(Decoder::new(wire, 0));
    }

    /// Why it is over when the peer ends it in good order.
    pub fn at_end(&self) -> Failure {
        match &self.state {
            State::Open(decoder) => decoder.at_end(),
            State::Idle | State::Asked | State::Ended | State::Left => Failure::Ended,
        }
    }

    /// What waits to be sent on it.
    pub fn outbox(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.state {
            State::Open(decoder) => decoder.outbox(),
            State::Idle | State::Asked | State::Ended | State::Left => None,
        }
    }

    /// The code with which its server said goodbye, where there are such.
    pub const fn close_code(&self) -> Option<u16> {
        match &self.state {
            State::Open(decoder) => decoder.close_code(),
            State::Idle | State::Asked | State::Ended | State::Left => None,
        }
    }

    /// The reconnection time that it asked for last, milliseconds.
    pub const fn retry(&self) -> Option<u64> {
        match &self.state {
            State::Open(decoder) => decoder.retry(),
            State::Idle | State::Asked | State::Ended | State::Left => None,
        }
    }

    /// From now on its events have their exact place also where that costs something.
    pub fn pinpoint(&mut self) {
        match &mut self.state {
            State::Open(decoder) => decoder.pinpoint(),
            State::Idle | State::Asked | State::Ended | State::Left => {}
        }
    }

    /// Takes data that begins `at` so many bytes into the connection; adds what it is to `counts`.
    pub fn take(
        &mut self,
        data: &[u8],
        at: u64,
        counts: &mut Bytes,
        mut emit: impl FnMut(&Event<'_>, u64),
    ) -> Result<(), Failure> {
        let State::Open(decoder) = &mut self.state else { return Ok(()) };
        let (before, base) = (decoder.counts(), self.received);
        self.received += data.len() as u64;
        let fed = decoder.feed(data, |event, end| emit(event, at + end - base));
        let now = decoder.counts();
        // What is known of a byte can change until its event is complete, so first the sum.
        *counts = *counts + now - before;
        fed
    }
}

/// RFC 9113 5.1.1: "Streams initiated by a client MUST use odd-numbered stream identifiers".
pub fn id(number: usize) -> u32 {
    u32::try_from(2 * number + 1).expect("a scenario has few streams a connection")
}

/// The number of a stream that this side may have opened.
pub fn number(id: u32) -> Option<usize> {
    (id % 2 == 1).then_some(id as usize / 2)
}

/// The status of a response (RFC 9113 8.3.2: "a single ":status" pseudo-header field"; 8.3: all
/// pseudo-header fields come first).
pub fn code(fields: &[Field]) -> Result<u16, Failure> {
    let first = fields.first().filter(|(name, value)| &**name == b":status" && value.len() == 3);
    let value = first.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    value.ok_or_else(|| Failure::Protocol("HTTP/2: a response without its status".into()))
}

/// Reads the head of a response; an interim one says nothing yet.
pub fn response<R>(
    fields: &[Field],
    ends: bool,
    read: impl FnOnce(&Response<'_, '_>) -> Result<R, Failure>,
) -> Result<Option<R>, Failure> {
    let code = code(fields)?;
    if (100..200).contains(&code) && !ends {
        return Ok(None);
    }
    let names = fields[1..].iter().map(|(name, value)| Ok(Header { name: field_name(name)?, value }));
    let mut headers = names.collect::<Result<Vec<_>, Failure>>()?;
    let response = Response { version: None, code: Some(code), reason: None, headers: &mut headers };
    read(&response).map(Some)
}

/// The name of a field (RFC 9113 8.2: lower case, no further pseudo-header field; 8.2.2: none that
/// belongs to a connection).
pub fn field_name(name: &[u8]) -> Result<&str, Failure> {
    const CONNECTION: [&str; 5] =
        ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"];
    let is_token = |byte: &u8| (0x21..0x7F).contains(byte) && *byte != b':' && !byte.is_ascii_uppercase();
    let text = std::str::from_utf8(name).ok().filter(|text| !text.is_empty());
    text.filter(|text| name.iter().all(is_token) && !CONNECTION.contains(text)).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        Failure::Protocol(format!("HTTP/2: a response may not have the field `{name}`"))
    })
}
