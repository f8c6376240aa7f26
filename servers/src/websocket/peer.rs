//! One end of a WebSocket connection, without I/O: frames put together to messages (RFC 6455 5.4 to
//! 5.6), compressed ones inflated (RFC 7692), pings answered, the closing handshake kept.
//!
//! The same code for both ends, so that what the fuzzing server says of the client and the fuzzing
//! client of the server is said of one codec. A frame that lies whole in one read is taken where it
//! lies. What is to be sent waits in an outbox.

use super::deflate::{Context, Inflater};
use super::frame::{
    Broken, Header, INVALID_DATA, Opcode, PROTOCOL_ERROR, Role, TOO_BIG, check_close, mask, write,
};

/// Pongs are left out beyond so many unsent bytes: the peer does not read.
const MAX_OUTBOX: usize = 4 * 1024;

/// A message of the other end.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Text or binary.
    pub opcode: Opcode,
    /// What it says.
    pub data: &'a [u8],
    /// Whether it came compressed.
    pub compressed: bool,
    /// Index behind its last byte in what was walked over.
    pub end: usize,
}

/// The state of one end between reads.
#[derive(Debug)]
pub struct Peer {
    role: Role,
    /// The largest frame and message taken, bytes.
    most: usize,
    /// How the other end compresses, if it may.
    inflates: Option<Context>,
    /// Made with the first compressed message: most connections never say one.
    inflater: Option<Box<Inflater>>,
    /// The message whose last fragment is awaited.
    open: Option<Open>,
    outbox: Vec<u8>,
    control: u64,
    coded: u64,
    /// A close frame was sent, or waits to be.
    said: bool,
    /// The close handshake is complete, or the other end broke a rule: nothing more is read.
    over: bool,
    /// The code in the other end's close frame.
    told: Option<u16>,
}

#[derive(Debug)]
struct Open {
    opcode: Opcode,
    compressed: bool,
    data: Vec<u8>,
    /// Bytes of text known to be UTF-8.
    valid: usize,
}

impl Peer {
    /// One end of an open connection that takes messages of at most so many bytes; `inflates` is how
    /// the other end compresses, if it may.
    #[must_use]
    pub fn new(role: Role, most: usize, inflates: Option<Context>) -> Self {
        Self {
            role,
            most,
            inflates,
            inflater: None,
            open: None,
            outbox: Vec::new(),
            control: 0,
            coded: 0,
            said: false,
            over: false,
            told: None,
        }
    }

    /// Walks over whole frames and returns how many bytes they are; the rest is to be given again with
    /// what follows. `emit` gets each message, and the outbox for an answer to it.
    ///
    /// # Errors
    /// The other end broke a rule; the close frame that tells it so is in the outbox.
    pub fn walk(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Message<'_>, &mut Vec<u8>),
    ) -> Result<usize, Broken> {
        self.walk_frames(bytes, emit).inspect_err(|(code, _)| {
            self.over = true;
            self.close(&code.to_be_bytes());
        })
    }

    /// Frames that wait to be sent; the caller removes what it has sent.
    pub const fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Whether nothing more is read: the close handshake is complete but for what waits to be sent, or
    /// the other end broke a rule.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether a close frame was sent, or waits to be.
    #[must_use]
    pub const fn says_goodbye(&self) -> bool {
        self.said
    }

    /// The code with which the other end said goodbye; 1005 if it named none.
    #[must_use]
    pub const fn told(&self) -> Option<u16> {
        self.told
    }

    /// Bytes of control frames taken, and of what followed a close.
    #[must_use]
    pub const fn control(&self) -> u64 {
        self.control
    }

    /// Compressed bytes taken.
    #[must_use]
    pub const fn coded(&self) -> u64 {
        self.coded
    }

    fn walk_frames(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Message<'_>, &mut Vec<u8>),
    ) -> Result<usize, Broken> {
        let mut at = 0;
        while !self.over {
            let deflate = self.inflates.is_some();
            let Some(header) = Header::read(&bytes[at..], self.role, deflate)? else { return Ok(at) };
            let length = usize::try_from(header.length)
                .ok()
                .filter(|length| *length <= self.most)
                .ok_or((TOO_BIG, "a frame is too large"))?;
            let start = at + header.size;
            let Some(payload) = bytes.get(start..start + length) else { return Ok(at) };
            at = start + length;
            let mut emit = |message: Message<'_>, outbox: &mut Vec<u8>| {
                emit(Message { end: at, ..message }, outbox);
            };
            match header.mask {
                None => self.frame(header, payload, &mut emit)?,
                Some(key) => {
                    let mut payload = payload.to_vec();
                    mask(&mut payload, key);
                    self.frame(header, &payload, &mut emit)?;
                }
            }
        }
        // RFC 6455 1.4: "after receiving a control frame indicating the connection should be
        // closed, a peer discards any further data received".
        self.control += (bytes.len() - at) as u64;
        Ok(bytes.len())
    }

    fn frame(
        &mut self,
        header: Header,
        payload: &[u8],
        emit: &mut impl FnMut(Message<'_>, &mut Vec<u8>),
    ) -> Result<(), Broken> {
        match header.opcode {
            Opcode::Text | Opcode::Binary => self.begin(header, payload, emit),
            Opcode::Continuation => self.proceed(header, payload, emit),
            Opcode::Ping | Opcode::Pong | Opcode::Close => {
                self.control += (header.size + payload.len()) as u64;
                self.answer(header.opcode, payload)
            }
        }
    }

    fn begin(
        &mut self,
        header: Header,
        payload: &[u8],
        emit: &mut impl FnMut(Message<'_>, &mut Vec<u8>),
    ) -> Result<(), Broken> {
        if self.open.is_some() {
            return Err((PROTOCOL_ERROR, "a message starts inside another"));
        }
        if header.fin {
            return self.message(header.opcode, header.compressed, payload, emit);
        }
        let (opcode, compressed) = (header.opcode, header.compressed);
        let mut open = Open { opcode, compressed, data: payload.to_vec(), valid: 0 };
        open.check_text()?;
        self.open = Some(open);
        Ok(())
    }

    fn proceed(
        &mut self,
        header: Header,
        payload: &[u8],
        emit: &mut impl FnMut(Message<'_>, &mut Vec<u8>),
    ) -> Result<(), Broken> {
        let Some(mut open) = self.open.take() else {
            return Err((PROTOCOL_ERROR, "a continuation without a message"));
        };
        if open.data.len() + payload.len() > self.most {
            return Err((TOO_BIG, "a message is too large"));
        }
        open.data.extend_from_slice(payload);
        if header.fin {
            return self.message(open.opcode, open.compressed, &open.data, emit);
        }
        open.check_text()?;
        self.open = Some(open);
        Ok(())
    }

    fn message(
        &mut self,
        opcode: Opcode,
        compressed: bool,
        data: &[u8],
        emit: &mut impl FnMut(Message<'_>, &mut Vec<u8>),
    ) -> Result<(), Broken> {
        let Self { inflates, inflater, outbox, most, .. } = self;
        let mut take = |data: &[u8]| {
            if opcode == Opcode::Text && std::str::from_utf8(data).is_err() {
                return Err((INVALID_DATA, "a text message is not UTF-8"));
            }
            emit(Message { opcode, data, compressed, end: 0 }, outbox);
            Ok(())
        };
        match inflates.filter(|_| compressed) {
            None => take(data),
            Some(context) => {
                self.coded += data.len() as u64;
                let inflater = inflater.get_or_insert_with(|| Box::new(Inflater::new(context)));
                inflater.message(data, *most, take)
            }
        }
    }

    fn answer(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Broken> {
        if opcode == Opcode::Ping && self.outbox.len() < MAX_OUTBOX {
            write(&mut self.outbox, self.role, Opcode::Pong, false, payload);
        }
        if opcode == Opcode::Close {
            check_close(payload)?;
            self.over = true;
            // RFC 6455 7.1.5: without a code in its frame, "The WebSocket Connection Close Code is considered to be 1005".
            self.told = Some(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)));
            self.close(&payload[..payload.len().min(2)]);
        }
        Ok(())
    }

    /// Says goodbye with a code, or without, unless that was said.
    pub fn close(&mut self, code: &[u8]) {
        if !std::mem::replace(&mut self.said, true) {
            write(&mut self.outbox, self.role, Opcode::Close, false, code);
        }
    }
}

impl Open {
    /// Breaks off at the first fragment that is no text, not at the last: RFC 6455 8.1, "When an
    /// endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact,
    /// a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_." What is compressed is
    /// only known when it is whole.
    fn check_text(&mut self) -> Result<(), Broken> {
        if self.opcode != Opcode::Text || self.compressed {
            return Ok(());
        }
        match std::str::from_utf8(&self.data[self.valid..]) {
            Ok(text) => self.valid += text.len(),
            Err(err) if err.error_len().is_none() => self.valid += err.valid_up_to(),
            Err(_) => return Err((INVALID_DATA, "a text message is not UTF-8")),
        }
        Ok(())
    }
}
