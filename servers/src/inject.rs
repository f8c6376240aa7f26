//! A server made worse on purpose, by a known amount: what proves on a user's own machine that a gate finds it.
//!
//! Nothing of it is in the way of a server that is not: each kind acts at one place, which asks once whether it is
//! there. `cpu=10%` burns in the runtime of the host, `delay=2ms` shifts its schedule, `bytes=5%` pads what is published,
//! `drop=0.1%` leaves deliveries out of the hub without counting them, as a real fault would. Those are for a duet, which
//! finds shares; the exact gate finds single ones: `bytes=1`, `drop=1`, `segment=1`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use scenarios::seed::SplitMix;
use scenarios::{Coding, Identity, Lane, Scenario, ServerStack, Span, Transport};
use serde::{Deserialize, Serialize};

use crate::websocket::frame::{Opcode, Role, write};

/// How a server is made worse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Inject {
    /// It spins for this share of the CPU time that it used.
    CpuShare(f64),
    /// It publishes so much later.
    Delay(Span),
    /// It sends this share of each event's bytes more, beside the events.
    BytesShare(f64),
    /// It leaves out this share of the deliveries.
    DropShare(f64),
    /// So many bytes more in the name of each event.
    Bytes(u64),
    /// So many events are lost, to all who are to get them.
    Drop(u64),
    /// So many segments more for each write.
    Segment(u64),
}

/// How they are written: in shares, and in counts.
const FORMS: &str = "cpu=10%, delay=2ms, bytes=5% or drop=0.1%";
const COUNTED: &str = "bytes=1, drop=1 or segment=1";

/// The first event that is lost of a count: others, by which a lane warms up, stand before it.
const FIRST_DROPPED: u64 = 22;

/// The most that is counted of any of them.
const MOST: u64 = 10;

impl FromStr for Inject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("cannot inject `{text}`: {why}; write {FORMS}");
        let (kind, amount) = text.split_once('=').ok_or_else(|| wrong("there is no amount"))?;
        if let Some(counted) = Self::counted(kind, amount) {
            return counted.ok_or_else(|| wrong(&format!("its amount is a number from 1 to {MOST}")));
        }
        let share = || {
            let number = amount.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
            let share = number.map(|percent| percent / 100.0).filter(|share| *share > 0.0 && *share <= 1.0);
            share.ok_or_else(|| wrong("its amount is a share above 0 % and up to 100 %"))
        };
        match kind {
            "cpu" => share().map(Self::CpuShare),
            "bytes" => share().map(Self::BytesShare),
            "drop" => share().map(Self::DropShare),
            "delay" => match amount.parse::<Span>() {
                Ok(span) if !span.0.is_zero() && span.0.as_secs() < 1 => Ok(Self::Delay(span)),
                Ok(_) | Err(_) => Err(wrong("its amount is a time above 0 and below 1s")),
            },
            _ => Err(wrong("there is no such kind")),
        }
    }
}

impl fmt::Display for Inject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded where a share as a number would show its binary tail: 0.1 % and not 0.10000000000000001 %.
        let percent = |share: f64| (share * 1e8).round() / 1e6;
        match self {
            Self::CpuShare(share) => write!(f, "cpu={}%", percent(*share)),
            Self::Delay(span) => write!(f, "delay={span}"),
            Self::BytesShare(share) => write!(f, "bytes={}%", percent(*share)),
            Self::DropShare(share) => write!(f, "drop={}%", percent(*share)),
            Self::Bytes(count) => write!(f, "bytes={count}"),
            Self::Drop(count) => write!(f, "drop={count}"),
            Self::Segment(count) => write!(f, "segment={count}"),
        }
    }
}

impl TryFrom<String> for Inject {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Inject> for String {
    fn from(inject: Inject) -> Self {
        inject.to_string()
    }
}

impl Inject {
    /// A count of a kind, where it is one: `None` in it if it is too large.
    fn counted(kind: &str, amount: &str) -> Option<Option<Self>> {
        let make: fn(u64) -> Self = match kind {
            "bytes" => Self::Bytes,
            "drop" => Self::Drop,
            "segment" => Self::Segment,
            _ => return None,
        };
        let count = amount.parse().ok().or((kind == "segment").then_some(0))?;
        Some((1..=MOST).contains(&count).then(|| make(count)))
    }

    /// One that is a count, as the exact gate takes it.
    ///
    /// # Errors
    /// It is none.
    pub fn read_counted(text: &str) -> Result<Self, String> {
        let read: Self =
            text.parse().map_err(|_| format!("cannot inject `{text}`: write {COUNTED}, up to {MOST}"))?;
        let is_counted = matches!(read, Self::Bytes(_) | Self::Drop(_) | Self::Segment(_));
        is_counted.then_some(read).ok_or_else(|| format!("`{text}` is for `duet`; the gate finds {COUNTED}"))
    }

    /// One that is a share or a time, as a duet takes it.
    ///
    /// # Errors
    /// It is none.
    pub fn read_share(text: &str) -> Result<Self, String> {
        let read: Self = text.parse()?;
        let is_counted = matches!(read, Self::Bytes(_) | Self::Drop(_) | Self::Segment(_));
        (!is_counted).then_some(read).ok_or_else(|| format!("`{text}` is for `gate`; a duet finds {FORMS}"))
    }

    /// The scenario that both ends of the lane then have.
    #[must_use]
    pub fn fatten(self, scenario: &Scenario) -> Scenario {
        let more = if let Self::Bytes(more) = self { more } else { 0 };
        let more = "x".repeat(usize::try_from(more).expect("it is small"));
        Scenario { event: format!("{}{more}", scenario.event), ..scenario.clone() }
    }

    /// Whether an event is lost to all.
    #[must_use]
    pub fn loses(self, seq: u64) -> bool {
        matches!(self, Self::Drop(events) if (FIRST_DROPPED..FIRST_DROPPED + events).contains(&seq))
    }

    /// Bytes that leave apart, before each write.
    #[must_use]
    pub const fn apart(self) -> u64 {
        if let Self::Segment(more) = self { more } else { 0 }
    }

    /// Why a lane of a scenario cannot be made worse so, if it cannot.
    #[must_use]
    pub fn refusal(self, lane: Lane, scenario: &Scenario) -> Option<String> {
        let for_itself = scenario.session.is_some() || scenario.outage.is_some();
        let shared = lane.server == ServerStack::Tuned && lane.coding != Coding::Deflate;
        let unnamed = lane.transport == Transport::Raw && scenario.identity == Identity::None;
        match self {
            _ if for_itself => Some(format!(
                "cannot inject {self} into a scenario of sessions or outages: use one whose events all hear"
            )),
            Self::BytesShare(_) if !shared || unnamed => Some(format!(
                "cannot inject {self} on lane `{lane}`, which frames each event anew for each subscriber or has no place for bytes beside events; lanes that can are sse-h1, sse-h2, ws-h1, ws-h2, raw, with TLS too"
            )),
            Self::DropShare(_) if lane.transport.polls() => Some(format!(
                "cannot inject {self} on lane `{lane}`, whose clients fetch events: lanes that can are those that push"
            )),
            Self::CpuShare(_)
            | Self::Delay(_)
            | Self::BytesShare(_)
            | Self::DropShare(_)
            | Self::Bytes(_)
            | Self::Drop(_)
            | Self::Segment(_) => None,
        }
    }

    /// How much later events are published, ns.
    #[must_use]
    pub fn delay_ns(self) -> u64 {
        if let Self::Delay(span) = self {
            u64::try_from(span.0.as_nanos()).expect("below a second")
        } else {
            0
        }
    }

    /// What is sent beside events on a lane.
    #[must_use]
    pub const fn padding(self, lane: Lane) -> Option<Padding> {
        if let Self::BytesShare(share) = self {
            Some(Padding { transport: lane.transport, share, owed: 0.0 })
        } else {
            None
        }
    }

    /// Which deliveries are left out.
    #[must_use]
    pub const fn drops(self, seed: u64) -> Option<Drops> {
        if let Self::DropShare(share) = self { Some(Drops { share, seed }) } else { None }
    }

    /// What is to be called whenever the runtime has nothing more to do.
    #[must_use]
    pub fn burner(self) -> Option<Arc<Burner>> {
        if let Self::CpuShare(share) = self {
            Some(Arc::new(Burner { share, paid_ns: AtomicU64::new(0) }))
        } else {
            None
        }
    }
}

/// Bytes beside events that clients skip: comments (WHATWG HTML 9.2.6), unsolicited pongs (RFC 6455 5.5.3: "A response to an
/// unsolicited Pong frame is not expected"), empty frames on the raw lane.
#[derive(Clone, Debug)]
pub struct Padding {
    transport: Transport,
    share: f64,
    owed: f64,
}

/// The fewest bytes of an SSE comment or a WebSocket frame, and the most of a pong.
const LEAST: usize = 2;
const MOST_OF_A_PONG: usize = 127;
const EMPTY_FRAME: [u8; 4] = [0; 4];

impl Padding {
    /// A frame with what it is to be padded with; what is owed and has no room yet waits for the next.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of an event")]
    pub fn beside(&mut self, frame: &Bytes) -> Bytes {
        self.owed += frame.len() as f64 * self.share;
        let mut out = frame.to_vec();
        let room = self.owed as usize;
        match self.transport {
            Transport::Sse | Transport::LongPoll | Transport::Poll if room >= LEAST => {
                out.push(b':');
                out.resize(frame.len() + room - 1, b' ');
                out.push(b'\n');
            }
            Transport::Ws if room >= LEAST => {
                let mut left = room;
                while left >= LEAST {
                    let one = left.min(MOST_OF_A_PONG);
                    write(&mut out, Role::Server, Opcode::Pong, false, &vec![0; one - LEAST]);
                    left -= one;
                }
            }
            Transport::Raw => (0..room / EMPTY_FRAME.len()).for_each(|_| out.extend(EMPTY_FRAME)),
            Transport::Sse | Transport::LongPoll | Transport::Poll | Transport::Ws => {}
        }
        self.owed -= (out.len() - frame.len()) as f64;
        out.into()
    }
}

/// Deliveries that are left out: a pure function of seed, reader and event, so that their number is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drops {
    share: f64,
    seed: u64,
}

impl Drops {
    /// Whether this reader does not get this event.
    #[must_use]
    pub fn takes(&self, reader: usize, event: u64) -> bool {
        SplitMix::new(self.seed ^ event, 0xD209 + reader as u64).unit() <= self.share
    }
}

/// Spins for a share of the CPU time that its process used.
#[derive(Debug)]
pub struct Burner {
    share: f64,
    /// What the process had used when it was last paid for, what was spun included.
    paid_ns: AtomicU64,
}

impl Burner {
    /// Spins for what was used since the last time, by the process's own CPU clock.
    pub fn burn(&self) {
        self.burn_by(used_ns);
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of nanoseconds"
    )]
    fn burn_by(&self, mut used_ns: impl FnMut() -> u64) {
        let used = used_ns();
        let owed = used.saturating_sub(self.paid_ns.load(Relaxed)) as f64 * self.share;
        let until = used + owed as u64;
        let mut now = used;
        while now < until {
            std::hint::spin_loop();
            now = used_ns();
        }
        self.paid_ns.store(now, Relaxed);
    }
}

/// CPU time of this process, user and system, ns.
fn used_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every process has this clock");
    u64::try_from(now.num_nanoseconds()).expect("CPU time is not negative")
}

#[cfg(test)]
mod tests;
