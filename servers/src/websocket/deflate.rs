//! Compression of WebSocket messages, permessage-deflate (RFC 7692): what is agreed on, and the coding
//! of a message.
//!
//! With *context takeover* a message may refer to those before it, so compressing it is each
//! connection's own work; without, a message is compressed the same for everybody, once. Level and
//! window are zlib's defaults, and on both ends the same.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::frame::{Broken, INVALID_DATA, TOO_BIG};

/// zlib's default.
pub const LEVEL: u32 = 6;

/// Base-2 logarithm of the largest window, bytes.
pub const WINDOW_BITS: u8 = 15;

/// RFC 7692 7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The extension's name.
const NAME: &str = "permessage-deflate";

/// What a scratch buffer keeps between messages.
const KEPT: usize = 64 * 1024;

thread_local! {
    static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How one direction is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whether a message may refer to those before it.
    pub takeover: bool,
    /// Base-2 logarithm of the window, bytes.
    pub window_bits: u8,
}

/// What both ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// From the server to the client.
    pub down: Context,
    /// From the client to the server.
    pub up: Context,
}

/// What a client of ours offers.
#[must_use]
pub const fn offer(takeover: bool) -> &'static str {
    match takeover {
        true => NAME,
        false => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    }
}

/// Answers a client's offers (`Sec-WebSocket-Extensions`, in its order): the first that can be kept, and
/// the field to answer with. Without `takeover` this server keeps no context and asks for none.
#[must_use]
pub fn answer<'a>(offers: impl Iterator<Item = &'a str>, takeover: bool) -> Option<(Agreed, String)> {
    offers.flat_map(|field| field.split(',')).find_map(|offer| {
        let mut wanted = parameters(offer)?;
        // A window of 256 bytes is one that zlib cannot compress for.
        if wanted.agreed.down.window_bits < 9 {
            return None;
        }
        // It names what the client can do, not what it will: this server does not ask it to.
        wanted.agreed.up.window_bits = WINDOW_BITS;
        wanted.agreed.down.takeover &= takeover;
        wanted.agreed.up.takeover &= takeover;
        let Agreed { down, up } = wanted.agreed;
        let fields = [
            (!down.takeover).then(|| "; server_no_context_takeover".to_owned()),
            (!up.takeover).then(|| "; client_no_context_takeover".to_owned()),
            wanted.limits_down.then(|| format!("; server_max_window_bits={}", down.window_bits)),
        ];
        Some((wanted.agreed, NAME.to_owned() + &fields.into_iter().flatten().collect::<String>()))
    })
}

/// Checks the server's answer to [`offer`] (RFC 7692 5.1: a client fails a connection whose answer it
/// did not offer).
///
/// # Errors
/// It is no answer to what was offered, or another kind of compression than the lane is to show.
pub fn accept(answer: Option<&str>, takeover: bool) -> Result<Agreed, String> {
    let said = answer.unwrap_or("none");
    let Some(wanted) = answer.and_then(parameters) else {
        return Err(format!("extension `{said}` is not the {NAME} that was offered"));
    };
    let Agreed { down, up } = wanted.agreed;
    if wanted.limits_up {
        return Err(format!("`{said}` limits a window that the client did not offer to limit"));
    }
    match (down.takeover, up.takeover) == (takeover, takeover) {
        true => Ok(wanted.agreed),
        false => Err(format!("`{said}` is not the context takeover that was offered")),
    }
}

/// One offer or answer, read.
struct Parameters {
    agreed: Agreed,
    limits_down: bool,
    limits_up: bool,
}

/// RFC 7692 7.1: an unknown parameter, one named twice or one with an invalid value makes the whole
/// offer one to decline.
fn parameters(offer: &str) -> Option<Parameters> {
    let mut parts = offer.split(';').map(str::trim);
    parts.next().filter(|name| *name == NAME)?;
    let whole = Context { takeover: true, window_bits: WINDOW_BITS };
    let mut found =
        Parameters { agreed: Agreed { down: whole, up: whole }, limits_down: false, limits_up: false };
    let mut seen: Vec<&str> = Vec::new();
    for part in parts {
        let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| {
            (name.trim_end(), Some(value.trim_start().trim_matches('"')))
        });
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover", None) => found.agreed.down.takeover = false,
            ("client_no_context_takeover", None) => found.agreed.up.takeover = false,
            ("server_max_window_bits", Some(bits)) => {
                found.agreed.down.window_bits = window_bits(bits)?;
                found.limits_down = true;
            }
            ("client_max_window_bits", bits) => {
                found.agreed.up.window_bits = bits.map_or(Some(WINDOW_BITS), window_bits)?;
                found.limits_up = true;
            }
            _ => return None,
        }
    }
    Some(found)
}

/// RFC 7692 7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
fn window_bits(text: &str) -> Option<u8> {
    (8..=WINDOW_BITS).find(|bits| bits.to_string() == text)
}

/// Compresses the messages of one direction.
#[derive(Debug)]
pub struct Deflater {
    compress: Compress,
    takeover: bool,
}

impl Deflater {
    /// A compressor with this context.
    #[must_use]
    pub fn new(context: Context) -> Self {
        let level = Compression::new(LEVEL);
        let compress = Compress::new_with_window_bits(level, false, context.window_bits);
        Self { compress, takeover: context.takeover }
    }

    /// Compresses a message.
    pub fn message(&mut self, mut plain: &[u8]) -> Vec<u8> {
        let mut coded = Vec::with_capacity(plain.len() + 64);
        loop {
            let before = self.compress.total_in();
            self.compress
                .compress_vec(plain, &mut coded, FlushCompress::Sync)
                .expect("a compressor takes any bytes");
            let taken = usize::try_from(self.compress.total_in() - before).expect("no more than there was");
            plain = &plain[taken..];
            // It stops with room left only when it has done all.
            if coded.len() < coded.capacity() {
                break;
            }
            coded.reserve(64);
        }
        match coded.strip_suffix(&TAIL).map(<[u8]>::len) {
            Some(length) => coded.truncate(length),
            // RFC 7692 7.2.3.6: an empty message is "one 0x00 octet", and nothing was to be flushed.
            None => coded.push(0x00),
        }
        if !self.takeover {
            self.compress.reset();
        }
        coded
    }
}

/// Takes the compression of one direction's messages off.
#[derive(Debug)]
pub struct Inflater {
    inflate: Decompress,
    takeover: bool,
}

impl Inflater {
    /// A decompressor with this context.
    #[must_use]
    pub fn new(context: Context) -> Self {
        // What zlib writes for 512 bytes it also reads with; the window of 256 is only read.
        Self {
            inflate: Decompress::new_with_window_bits(false, context.window_bits.max(9)),
            takeover: context.takeover,
        }
    }

    /// Inflates a message and gives `take` what it holds.
    ///
    /// # Errors
    /// Those of `take`; it is not compressed, or holds more than `most` bytes.
    pub fn message<T>(
        &mut self,
        coded: &[u8],
        most: usize,
        take: impl FnOnce(&[u8]) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        PLAIN.with_borrow_mut(|plain| {
            plain.clear();
            let inflated = [coded, &TAIL].into_iter().try_for_each(|part| self.inflate(part, most, plain));
            if !self.takeover {
                self.inflate.reset(false);
            }
            let taken = inflated.and_then(|()| take(plain));
            plain.shrink_to(KEPT);
            taken
        })
    }

    fn inflate(&mut self, mut coded: &[u8], most: usize, plain: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            // Beyond the bound by one byte, so that what is too big shows.
            plain.reserve((most + 1 - plain.len()).min(plain.capacity().max(1_024)));
            let before = (self.inflate.total_in(), plain.len());
            let status = self.inflate.decompress_vec(coded, plain, FlushDecompress::Sync);
            let status = status.map_err(|_| (INVALID_DATA, "a message is not compressed as it says"))?;
            let taken = usize::try_from(self.inflate.total_in() - before.0).expect("no more than there was");
            coded = &coded[taken..];
            if plain.len() > most {
                return Err((TOO_BIG, "a compressed message holds too much"));
            }
            match status {
                // RFC 7692 7.2.3.4: a block may be marked as the last; what follows is a stream of its own.
                Status::StreamEnd => self.inflate.reset(false),
                Status::Ok | Status::BufError if plain.len() < plain.capacity() => return Ok(()),
                Status::Ok | Status::BufError => {}
            }
            if status == Status::StreamEnd && coded.is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: Context = Context { takeover: true, window_bits: WINDOW_BITS };
    const STATELESS: Context = Context { takeover: false, window_bits: WINDOW_BITS };

    fn inflated(inflater: &mut Inflater, coded: &[u8]) -> Result<Vec<u8>, Broken> {
        inflater.message(coded, 1 << 20, |plain| Ok(plain.to_vec()))
    }

    /// RFC 7692 7.2.3 (<https://www.rfc-editor.org/rfc/rfc7692#section-7.2.3>): "Hello" in one block,
    /// with the window of the message before ("the second message"), in "a block with no compression",
    /// in a "block with BFINAL set to 1", in "two DEFLATE blocks"; 7.2.3.6: an empty message.
    #[test]
    fn the_examples_of_the_rfc() {
        let hello = |coded: &[u8]| assert_eq!(inflated(&mut Inflater::new(WHOLE), coded).unwrap(), b"Hello");
        hello(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        hello(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00");
        hello(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00");
        hello(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00");
        let mut inflater = Inflater::new(WHOLE);
        for coded in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00"] {
            assert_eq!(inflated(&mut inflater, coded).unwrap(), b"Hello");
        }
        assert_eq!(inflated(&mut inflater, b"\x00").unwrap(), b"");
        let mut deflater = Deflater::new(WHOLE);
        let coded = [b"Hello", b"Hello"].map(|plain| deflater.message(plain));
        assert_eq!(coded[0], b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        assert_eq!(coded[1], b"\xf2\x00\x11\x00\x00");
        assert_eq!([deflater.message(b""), deflater.message(b"")], [b"\x00"; 2]);
        let mut stateless = Deflater::new(STATELESS);
        assert_eq!(
            [stateless.message(b"Hello"), stateless.message(b"Hello")],
            [coded[0].clone(), coded[0].clone()]
        );
    }

    /// RFC 7692 8: "an implementation [...] MAY fail the connection" whose message "is too big".
    #[test]
    fn a_bomb_and_garbage_break_the_connection() {
        let bomb = Deflater::new(WHOLE).message(&vec![0; 1 << 20]);
        assert!(bomb.len() < 2_000);
        let message = |coded: &[u8], most| Inflater::new(WHOLE).message(coded, most, |plain| Ok(plain.len()));
        assert_eq!(message(&bomb, 1 << 20), Ok(1 << 20));
        assert_eq!(message(&bomb, (1 << 20) - 1).unwrap_err().0, TOO_BIG);
        assert_eq!(message(&bomb, 0).unwrap_err().0, TOO_BIG);
        assert_eq!(message(b"\xff\xff\xff", 100).unwrap_err().0, INVALID_DATA);
    }

    /// RFC 7692 7.1.1 and 7.1.2, and 5.1: "declines" an offer that it does not know or cannot keep, and
    /// takes the first that it can.
    #[test]
    fn what_a_server_answers() {
        for (offers, takeover, answered) in [
            ("permessage-deflate", true, Some("permessage-deflate")),
            ("permessage-deflate; client_max_window_bits", true, Some("permessage-deflate")),
            (
                "permessage-deflate; server_no_context_takeover",
                true,
                Some("permessage-deflate; server_no_context_takeover"),
            ),
            (
                "permessage-deflate; client_no_context_takeover",
                true,
                Some("permessage-deflate; client_no_context_takeover"),
            ),
            (
                "permessage-deflate; server_max_window_bits=9",
                true,
                Some("permessage-deflate; server_max_window_bits=9"),
            ),
            (
                "permessage-deflate; server_max_window_bits=\"10\"",
                true,
                Some("permessage-deflate; server_max_window_bits=10"),
            ),
            (
                "permessage-deflate",
                false,
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
            ),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate",
                true,
                Some("permessage-deflate"),
            ),
            ("x-webkit-deflate-frame, permessage-deflate", true, Some("permessage-deflate")),
            ("permessage-deflate; server_max_window_bits", true, None),
            ("permessage-deflate; server_max_window_bits=16", true, None),
            ("permessage-deflate; server_max_window_bits=09", true, None),
            ("permessage-deflate; server_no_context_takeover=1", true, None),
            ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", true, None),
            ("permessage-deflate; unknown", true, None),
            ("permessage-bzip2", true, None),
            ("", true, None),
        ] {
            let answer = answer(std::iter::once(offers), takeover).map(|answer| answer.1);
            assert_eq!(answer.as_deref(), answered, "{offers}");
        }
    }

    #[test]
    fn what_a_client_accepts_is_what_it_offered() {
        for takeover in [true, false] {
            let (agreed, said) = answer(std::iter::once(offer(takeover)), true).unwrap();
            assert_eq!(accept(Some(&said), takeover), Ok(agreed));
            assert!(accept(Some(&said), !takeover).unwrap_err().contains("context takeover"));
        }
        for said in ["permessage-deflate; client_max_window_bits=10", "permessage-deflate; what", "x", ""] {
            assert!(accept(Some(said), true).is_err(), "{said}");
        }
        assert!(accept(None, true).is_err());
    }

    proptest! {
        #[test]
        fn any_messages_come_back(
            messages in proptest::collection::vec("[ab]{0,300}", 0..20), takeover: bool, window_bits in 9u8..=15,
        ) {
            let context = Context { takeover, window_bits };
            let (mut deflater, mut inflater) = (Deflater::new(context), Inflater::new(context));
            for message in messages {
                let coded = deflater.message(message.as_bytes());
                prop_assert!(!coded.is_empty());
                prop_assert_eq!(inflated(&mut inflater, &coded), Ok(message.into_bytes()));
            }
        }
    }
}
