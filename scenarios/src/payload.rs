//! Bodies: a pure function from (seed, seq) to bytes, the same on every lane and at both ends.
//!
//! No body carries a timestamp of the measurement: latency comes from the schedule, and a body
//! that differed by lane or by moment could not be compared byte for byte (METHOD M8). A kind is a
//! file in `payload/`, a variant, and its row in the one table of names.

mod binary;
mod chat;
mod edits;
mod game;
mod interval;
mod logs;
mod news;
mod prose;
mod text;
mod ticker;
mod tokens;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lane::nearest;
use crate::quantity::{Count, count};
use crate::seed::SplitMix;

/// What the bodies are. Written as `ticker`, `news` or `text:100`; see [`KINDS`].
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Payload {
    /// A stock quote.
    Ticker,
    /// A news article.
    News,
    /// A log line.
    Logs,
    /// A delta of an AI completion.
    Tokens,
    /// A chat message.
    Chat,
    /// A time and a count.
    Interval,
    /// The state of a player in a game.
    Game,
    /// An edit of a shared text.
    Edits,
    /// Printable text of exactly this many bytes.
    Text(u64),
    /// Bytes that are no text, exactly so many.
    Binary(u64),
    /// A chunk of a video stream, so many bytes on average.
    Video(u64),
    /// Text or bytes whose size changes every `each` events: the byte-only sweep.
    Sweep {
        /// Sizes in bytes, in order.
        sizes: Vec<u64>,
        /// Events of each size.
        each: u64,
        /// Whether the bodies are bytes and no text.
        binary: bool,
    },
}

/// What may stand behind the name of a kind.
enum Make {
    /// Nothing.
    Plain(Payload),
    /// `:BYTES`.
    Sized(fn(u64) -> Payload),
}

/// One kind of payload.
pub struct Kind {
    /// Its word in TOML and on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    make: Make,
}

impl Kind {
    /// How it is written, such as `text:BYTES`.
    #[must_use]
    pub fn form(&self) -> String {
        match self.make {
            Make::Plain(_) => self.name.to_owned(),
            Make::Sized(_) => format!("{}:BYTES", self.name),
        }
    }
}

/// Every kind that can be written, in the order it is listed.
pub static KINDS: [Kind; 11] = [
    kind("ticker", Make::Plain(Payload::Ticker), "a stock quote as JSON, about 140 bytes"),
    kind("news", Make::Plain(Payload::News), "an article as JSON, about 5 KB: headline, summary, paragraphs"),
    kind("logs", Make::Plain(Payload::Logs), "a log line in logfmt, 100 to 800 bytes"),
    kind("tokens", Make::Plain(Payload::Tokens), "a delta of an AI completion as JSON: a word in 200 bytes"),
    kind("chat", Make::Plain(Payload::Chat), "a chat message as JSON, 70 to 300 bytes"),
    kind("interval", Make::Plain(Payload::Interval), "a time and a count as JSON, about 50 bytes"),
    kind("game", Make::Plain(Payload::Game), "a player's state in a game as JSON, about 60 bytes"),
    kind("edits", Make::Plain(Payload::Edits), "an edit of a shared text as JSON, 60 to 300 bytes"),
    kind("text", Make::Sized(Payload::Text), "printable text of so many bytes"),
    kind("binary", Make::Sized(Payload::Binary), "so many bytes that are no text: records, then noise"),
    kind("video", Make::Sized(Payload::Video), "a chunk of a video stream, so many bytes on average"),
];

const fn kind(name: &'static str, make: Make, about: &'static str) -> Kind {
    Kind { name, about, make }
}

/// The smallest text that still tells its sequence number, so that an event without an id can be
/// recognised by its body.
pub const SELF_IDENTIFYING_BYTES: u64 = 20;

impl Payload {
    /// The body of event `seq`: UTF-8 without CR or LF, unless it is binary.
    #[must_use]
    pub fn body(&self, seed: u64, seq: u64) -> Vec<u8> {
        match self {
            Self::Ticker => ticker::body(seed, seq).into_bytes(),
            Self::News => news::body(seed, seq).into_bytes(),
            Self::Logs => logs::body(seed, seq).into_bytes(),
            Self::Tokens => tokens::body(seed, seq).into_bytes(),
            Self::Chat => chat::body(seed, seq).into_bytes(),
            Self::Interval => interval::body(seq).into_bytes(),
            Self::Game => game::body(seed, seq).into_bytes(),
            Self::Edits => edits::body(seed, seq).into_bytes(),
            Self::Text(bytes) => text::body(seed, seq, *bytes),
            Self::Binary(bytes) => binary::body(seed, seq, *bytes),
            Self::Video(mean) => binary::video(seed, seq, *mean),
            Self::Sweep { sizes, each, binary } => {
                let index = usize::try_from(seq / each).expect("a sweep is short") % sizes.len();
                if *binary {
                    binary::body(seed, seq, sizes[index])
                } else {
                    text::body(seed, seq, sizes[index])
                }
            }
        }
    }

    /// Whether the bodies are bytes that no text can carry unchanged.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        match self {
            Self::Binary(_) | Self::Video(_) => true,
            Self::Sweep { binary, .. } => *binary,
            Self::Ticker
            | Self::News
            | Self::Logs
            | Self::Tokens
            | Self::Chat
            | Self::Interval
            | Self::Game
            | Self::Edits
            | Self::Text(_) => false,
        }
    }

    /// What follows the colon, where something does: the size in bytes.
    #[must_use]
    pub fn written_bytes(&self) -> Option<u64> {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) | Self::Video(bytes) => Some(*bytes),
            Self::Ticker
            | Self::News
            | Self::Logs
            | Self::Tokens
            | Self::Chat
            | Self::Interval
            | Self::Game
            | Self::Edits
            | Self::Sweep { .. } => None,
        }
    }

    /// Whether no two bodies are the same, so that an event without an id is recognised by its body.
    #[must_use]
    pub fn tells_its_seq(&self) -> bool {
        match self {
            Self::Tokens => false,
            Self::Text(bytes) | Self::Binary(bytes) => *bytes >= SELF_IDENTIFYING_BYTES,
            Self::Ticker
            | Self::News
            | Self::Logs
            | Self::Chat
            | Self::Interval
            | Self::Game
            | Self::Edits
            | Self::Video(_)
            | Self::Sweep { .. } => true,
        }
    }

    fn row(&self) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| match kind.make {
            Make::Plain(ref payload) => payload == self,
            Make::Sized(make) => self.written_bytes().is_some_and(|bytes| make(bytes) == *self),
        })
    }
}

fn pick(draw: &mut SplitMix, length: usize) -> usize {
    usize::try_from(draw.below(length as u64)).expect("an index of a small table")
}

/// So many milliseconds after eight o'clock of a certain day, RFC 3339.
fn stamp(millis: u64) -> String {
    let tick = 28_800_000 + millis;
    format!(
        "2025-01-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + tick / 86_400_000 % 31,
        tick / 3_600_000 % 24,
        tick / 60_000 % 60,
        tick / 1_000 % 60,
        tick % 1_000
    )
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Sweep { sizes, each, binary } = self {
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            let name = if *binary { "binary-sweep" } else { "sweep" };
            return write!(f, "{name}:{}x{each}", sizes.join(","));
        }
        f.write_str(self.row().expect("every kind has its row").name)?;
        self.written_bytes().map_or(Ok(()), |bytes| write!(f, ":{}", Count(bytes)))
    }
}

impl FromStr for Payload {
    type Err = String;
    fn from_str(written: &str) -> Result<Self, String> {
        let (name, rest) = written.split_once(':').map_or((written, None), |(name, rest)| (name, Some(rest)));
        let binary = name == "binary-sweep";
        if binary || name == "sweep" {
            let sweep = rest.and_then(|rest| sweep(rest, binary));
            return sweep.ok_or_else(|| unknown(written, name));
        }
        let kind = KINDS.iter().find(|kind| kind.name == name);
        match (kind.map(|kind| &kind.make), rest) {
            (Some(Make::Plain(payload)), None) => Ok(payload.clone()),
            (Some(Make::Sized(make)), Some(bytes)) => {
                count(bytes).map(|bytes| make(bytes.0)).map_err(|_| unknown(written, name))
            }
            (Some(_) | None, _) => Err(unknown(written, name)),
        }
    }
}

/// `32,100x20`: sizes, and events of each.
fn sweep(written: &str, binary: bool) -> Option<Payload> {
    let (sizes, each) = written.rsplit_once('x')?;
    let sizes = sizes.split(',').map(|size| size.parse().ok()).collect::<Option<Vec<u64>>>()?;
    let each = each.parse().ok().filter(|each| *each > 0)?;
    Some(Payload::Sweep { sizes, each, binary })
}

fn unknown(written: &str, name: &str) -> String {
    let forms: Vec<String> = KINDS.iter().map(|kind| format!("`{}`", kind.form())).collect();
    let hint = if KINDS.iter().any(|kind| kind.name == name) {
        String::new()
    } else {
        nearest(name, KINDS.iter().map(|kind| kind.name))
    };
    format!("unknown payload `{written}`{hint}; write {}, for example `text:1k`", forms.join(", "))
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use sha2::{Digest, Sha256};

    /// One of each kind.
    fn one_of_each() -> Vec<Payload> {
        let make = |kind: &Kind| match &kind.make {
            Make::Plain(payload) => payload.clone(),
            Make::Sized(make) => make(100),
        };
        KINDS.iter().map(make).collect()
    }

    /// The bodies of a seed are part of every published number: they may not change.
    #[test]
    fn golden_hashes() {
        let hash = |payload: &Payload| {
            let mut hash = Sha256::new();
            (0..1_000).for_each(|seq| hash.update(payload.body(1, seq)));
            let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{payload} {hex}")
        };
        insta::assert_snapshot!(one_of_each().iter().map(hash).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn bodies_are_what_their_kind_says() {
        for payload in one_of_each() {
            let bodies: Vec<Vec<u8>> = (0..1_000).map(|seq| payload.body(7, seq)).collect();
            assert_eq!(bodies[3], payload.body(7, 3), "{payload}");
            let texts = bodies.iter().filter_map(|body| std::str::from_utf8(body).ok());
            if !payload.is_binary() {
                assert_eq!(texts.filter(|text| !text.contains(['\r', '\n'])).count(), 1_000, "{payload}");
            }
            if payload.tells_its_seq() {
                assert_eq!(bodies.iter().collect::<HashSet<_>>().len(), 1_000, "{payload}");
            }
        }
    }

    #[test]
    fn names_read_back_and_wrong_ones_are_explained() {
        let sweep = |binary| Payload::Sweep { sizes: vec![0, 32], each: 20, binary };
        for payload in one_of_each().into_iter().chain([sweep(false), sweep(true)]) {
            assert_eq!(payload.to_string().parse(), Ok(payload));
        }
        for wrong in ["tiker", "text", "text:", "text:-1", "news:5", "sweep:1x0"] {
            assert!(wrong.parse::<Payload>().unwrap_err().contains("`text:BYTES`"), "{wrong}");
        }
        assert!("tiker".parse::<Payload>().unwrap_err().contains("did you mean `ticker`?"));
    }
}
