//! What of a scenario is refused before anything starts: what cannot be run or would take absurdly long.

use std::time::Duration;

use super::Scenario;
use crate::audience::Audience;
use crate::binary::Binary;
use crate::envelope::{Envelope, Identity};
use crate::http2::{FIRST_WINDOW, MAX_WINDOW};
use crate::lane::{Carrier, ClientStack, Lane, ServerStack, Transport};
use crate::payload::{Payload, SELF_IDENTIFYING_BYTES};
use crate::quantity::{Count, Span};
use crate::upstream::{ECHO, MESSAGE_BYTES};

impl Scenario {
    /// Refuses what cannot be run or would take absurdly long; a scenario that was read by [`Scenario::load`] is sound.
    ///
    /// # Errors
    /// The field that is wrong, its value, and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let in_range = |field: &str, value: f64, low: f64, high: f64| match value.is_finite()
            && (low..=high).contains(&value)
        {
            true => Ok(()),
            false => Err(format!("`{field}` is {value}; allowed is {low} to {high}")),
        };
        let count = |field: &str, value: Count, low: u64, high: u64| match (low..=high).contains(&value.0) {
            true => Ok(()),
            false => Err(format!("`{field}` is {}; allowed is {low} to {high}", value.0)),
        };
        let span = |field: &str, value: Span, low: u64, high: u64| {
            let (low, high) = (Span(Duration::from_millis(low)), Span(Duration::from_millis(high)));
            match (low..=high).contains(&value) {
                true => Ok(()),
                false => Err(format!("`{field}` is {value}; allowed is {low} to {high}")),
            }
        };
        count("subscribers", self.subscribers, 1, 200_000)?;
        in_range("rate", self.rate, 0.01, 100_000.0)?;
        span("block", self.block, 500, 60_000)?;
        span("duration", self.duration, 500, 3_600_000)?;
        span("gap", self.gap, 50, 10_000)?;
        count("repetitions", self.repetitions, 1, 1_000)?;
        count("warmup", self.warmup, 0, 10_000)?;
        count("mss", self.mss, 0, 65_495)?;
        count("send_buffer", self.send_buffer, 4_096, 16 << 20)?;
        count("receive_buffer", self.receive_buffer, 4_096, 16 << 20)?;
        count("streams", self.streams, 1, 10_000)?;
        count("window", self.window, u64::from(FIRST_WINDOW), u64::from(MAX_WINDOW))?;
        count("lag", self.lag, 1, 1 << 20)?;
        count("heartbeats", self.heartbeats, 0, 10_000)?;
        span("heartbeat", self.heartbeat, 50, 60_000)?;
        span("idle_timeout", self.idle_timeout, 200, 600_000)?;
        count("tabs", self.tabs, 0, 100)?;
        span("poll", self.poll, 20, 60_000)?;
        span("hold", self.hold, 100, 600_000)?;
        if let Audience::Rooms(rooms) = self.audience {
            count("audience = rooms", Count(rooms), 1, self.subscribers.0)?;
        }
        in_range("slow", self.slow, 0.0, 0.95)?;
        count("slow_read", self.slow_read, 0, 1 << 30)?;
        self.memory.iter().try_for_each(|level| count("memory", *level, 1, 100_000))?;
        self.sweep.iter().try_for_each(|size| count("sweep", *size, 0, 1 << 20))?;
        self.rates.iter().try_for_each(|rate| in_range("rates", *rate, 0.01, 100_000.0))?;
        self.sizes.iter().try_for_each(|size| count("sizes", *size, SELF_IDENTIFYING_BYTES, 1 << 20))?;
        if !self.rates.is_empty() && !self.sizes.is_empty() {
            return Err("`rates` and `sizes` are sweeps of their own; name one of them".into());
        }
        if !self.rates.is_sorted() {
            return Err("`rates` go up; write them in order".into());
        }
        self.share.values().try_for_each(|share| in_range("share", *share, 0.01, 1.0))?;
        if self.duration < self.block {
            return Err(format!(
                "`duration` {} is shorter than one `block` of {}",
                self.duration, self.block
            ));
        }
        if self.session.is_none() && self.rate * self.block.0.as_secs_f64() < 1.0 {
            return Err(format!(
                "a block of {} holds no event at rate {}; lengthen `block`",
                self.block, self.rate
            ));
        }
        self.check_lanes()?;
        self.check_events()?;
        self.check_binary()?;
        in_range("upstream", self.upstream, 0.0, 10_000.0)?;
        self.check_messages()?;
        self.check_upstream()?;
        self.outage.as_ref().map_or(Ok(()), |outage| outage.check(self))?;
        self.session.as_ref().map_or(Ok(()), |session| session.check(self))
    }

    /// Messages upward need lanes that carry them, and echoes that can be told from events.
    fn check_upstream(&self) -> Result<(), String> {
        if self.upstream == 0.0 {
            return Ok(());
        }
        if let Some(lane) = self.lanes.iter().find(|lane| !lane.talks()) {
            let able: Vec<String> =
                Lane::all().into_iter().filter(|lane| lane.talks()).map(|lane| lane.to_string()).collect();
            return Err(format!(
                "lane `{lane}` carries no messages from client to server, and `upstream` is {}; lanes that do: {}",
                self.upstream,
                able.join(", ")
            ));
        }
        if self.identity != Identity::IdEvent || self.event == ECHO {
            return Err(format!(
                "with `upstream` an echo is told from an event by its name, `{ECHO}`: write `identity = \"id+event\"` and name the event otherwise"
            ));
        }
        if self.payload.is_binary() {
            return Err(format!(
                "`payload` is `{}`; with `upstream` write one that is text, as echoes are",
                self.payload
            ));
        }
        match (self.slow > 0.0, !self.rates.is_empty() || !self.sizes.is_empty()) {
            (true, _) => {
                Err("`upstream` goes with `slow = 0`: a slow reader does not take its echoes".into())
            }
            (_, true) => Err("`upstream` has no steps; leave out `rates` and `sizes`".into()),
            (false, false) => Ok(()),
        }
    }

    /// What messages upward may hold.
    fn check_messages(&self) -> Result<(), String> {
        let payload = &self.upstream_payload;
        if payload.is_binary() || matches!(payload, Payload::Sweep { .. }) {
            return Err(format!(
                "`upstream_payload` is `{payload}`; an echo over SSE is text, so messages upward are too"
            ));
        }
        match payload.written_bytes().is_some_and(|bytes| bytes > MESSAGE_BYTES) {
            true => {
                Err("`upstream_payload` is above 32 KiB, which is what one message upward may hold".into())
            }
            false => Ok(()),
        }
    }

    fn check_lanes(&self) -> Result<(), String> {
        if self.lanes.is_empty() {
            return Err("`lanes` is empty; name at least one, for example [\"sse-h1\", \"ws-h1\"]".into());
        }
        for (i, lane) in self.lanes.iter().enumerate() {
            if self.lanes[..i].contains(lane) {
                return Err(format!("lane `{lane}` is named twice"));
            }
        }
        self.check_slow()?;
        self.check_heartbeats()?;
        self.check_tabs()?;
        self.lanes.iter().filter(|lane| lane.transport.polls()).try_for_each(|lane| self.check_polling(*lane))
    }

    /// Heartbeats are this project's own servers' and clients'.
    fn check_heartbeats(&self) -> Result<(), String> {
        let nameless = self.identity == Identity::None;
        let unable = |lane: &&Lane| !lane.has_heartbeats() || nameless && lane.transport == Transport::Raw;
        match self.lanes.iter().find(unable).filter(|_| self.heartbeats.0 > 0) {
            None => Ok(()),
            Some(lane) => {
                let able = Lane::all().into_iter().filter(|lane| lane.has_heartbeats());
                let able: Vec<String> = able.map(|lane| lane.to_string()).collect();
                Err(format!(
                    "lane `{lane}` has no `heartbeats`: a poll is a request of its own, stock servers and clients keep to their own timers, `raw` tells them from events by identity, and a compressor that is not flushed would hold them back; lanes that have them: {}",
                    able.join(", ")
                ))
            }
        }
    }

    /// A browser's tabs share their connection of HTTP/2, and hold what they have opened.
    fn check_tabs(&self) -> Result<(), String> {
        let unable = |lane: &&Lane| {
            lane.client != ClientStack::Lean
                || lane.transport.polls()
                || lane.transport == Transport::Raw
                || lane.holds_back()
                || lane.carrier == Carrier::H2 && (!lane.mux || self.streams < self.tabs)
        };
        match self.lanes.iter().find(unable).filter(|_| self.tabs.0 > 0) {
            None => Ok(()),
            Some(lane) => Err(format!(
                "`tabs` cannot be opened on lane `{lane}`: they need streams that stay open, read by this project's own client as a browser holds them, over HTTP/2 all on one connection (`+mux`, and `streams` no less than `tabs`), such as `sse-h1`, `ws-h1` or `sse-h2+mux`"
            )),
        }
    }

    /// Slow readers are this project's own client on a lane that pushes.
    fn check_slow(&self) -> Result<(), String> {
        let unable = |lane: &&Lane| {
            lane.client != ClientStack::Lean || lane.transport.polls() || lane.holds_back() || lane.mux
        };
        match self.lanes.iter().find(unable).filter(|_| self.slow > 0.0) {
            None => Ok(()),
            Some(lane) => Err(format!(
                "lane `{lane}` cannot read slowly: `slow` needs lanes that push, a connection each, read by this project's own client, such as `sse-h1` or `ws-h1`"
            )),
        }
    }

    /// What cannot be polled for.
    fn check_polling(&self, lane: Lane) -> Result<(), String> {
        if self.identity == Identity::None {
            return Err(format!(
                "lane `{lane}` asks for the events after an id, and identity `none` gives them none; use `id` or `id+event`, or a lane that pushes, such as `sse-h1` or `ws-h1`"
            ));
        }
        if self.audience != Audience::All {
            return Err(format!(
                "lane `{lane}` gives everybody the same events, and `audience` is `{}`; use a lane that pushes, such as `sse-h1` or `ws-h1`",
                self.audience
            ));
        }
        if lane.transport == Transport::Poll && !self.sweep.is_empty() {
            return Err(format!(
                "`sweep` publishes each event when the last has arrived, and lane `{lane}` asks at its interval; set `sweep = []`, or use `longpoll-h1`, `longpoll-h2` or a lane that pushes"
            ));
        }
        Ok(())
    }

    /// Bodies that are bytes need lanes that carry bytes, or an encoding that was asked for.
    fn check_binary(&self) -> Result<(), String> {
        if !self.payload.is_binary() {
            return Ok(());
        }
        if self.envelope == Envelope::Json && self.identity != Identity::None {
            return Err(format!(
                "an envelope of `json` is text, and the bodies of `{}` are bytes; write `envelope = \"lines\"`",
                self.payload
            ));
        }
        let text_only = self.lanes.iter().find(|lane| lane.transport.is_text_only());
        match text_only {
            Some(lane) if self.binary == Binary::Native => {
                let bases = Lane::all().into_iter().filter(|lane| *lane == lane.base());
                let able = bases.filter(|lane| !lane.transport.is_text_only());
                let able: Vec<String> = able.map(|lane| lane.to_string()).collect();
                Err(format!(
                    "lane `{lane}` carries only UTF-8 text, and the bodies of `{}` are bytes; write `binary = \"base64\"` to send them encoded there, or name lanes that carry bytes: {}, with any options",
                    self.payload,
                    able.join(", ")
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_events(&self) -> Result<(), String> {
        let name = &self.event;
        if name.is_empty()
            || name.len() > 64
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        {
            return Err(format!("`event` is `{name}`; allowed are 1 to 64 letters, digits and -_.:"));
        }
        if self.payload.written_bytes().is_some_and(|bytes| bytes > 1 << 20) {
            return Err("`payload` is above 1 MiB".into());
        }
        let drops = |lane: &&Lane| lane.transport == Transport::Sse && lane.server == ServerStack::Axum;
        let empty = self.payload.written_bytes() == Some(0) || self.sweep.contains(&Count(0));
        if let Some(lane) = self.lanes.iter().find(drops).filter(|_| empty) {
            return Err(format!(
                "lane `{lane}` carries no empty body: axum writes no `data` line for it, so that no client is told of the event; take one byte or more in `payload` and `sweep`, or a lane of this project's server, such as `{}`",
                lane.base()
            ));
        }
        if matches!(self.payload, Payload::Sweep { .. }) {
            return Err("`payload = \"sweep:...\"` is internal; list sizes under `sweep`".into());
        }
        if self.identity == Identity::None && !self.payload.tells_its_seq() {
            return Err(format!(
                "with identity `none` an event is recognised by its body, and those of `{}` do not tell which they are; it needs `text:{SELF_IDENTIFYING_BYTES}` or more, or identity `id`",
                self.payload
            ));
        }
        Ok(())
    }
}
