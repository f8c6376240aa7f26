//! One recovery by its parts, and the log from which the same time is found again without them. No I/O, no clock.

use scenarios::Moment;

use crate::expect::Expected;

/// A client between the last event of a stream that it lost and having all events again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// When it last had all there was: the arrival of its last event, or an opening behind which it missed nothing.
    last: Moment,
    /// When it knew that its stream is over.
    pub known: Moment,
    /// In all waiting, and in all attempts, ns.
    pub waited_ns: u64,
    pub tried_ns: u64,
    pub attempts: u64,
    /// The present stream, if there is one.
    stream: Option<Stream>,
    /// When it had all again: not before its stream was open, also where the last of it came with the handshake.
    pub caught_up: Moment,
}

/// The stream that follows the lost one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stream {
    opened: Moment,
    /// The last event that was due then.
    due: Option<u64>,
    /// Bytes of its connection that had come by then.
    offset: u64,
    first: Option<Moment>,
}

impl Episode {
    /// A stream is over, on which it had all there was at `last`.
    pub const fn begin(last: Moment, known: Moment) -> Self {
        Self { last, known, waited_ns: 0, tried_ns: 0, attempts: 0, stream: None, caught_up: known }
    }

    /// A stream is open again, at which time event `due` was the last that was due.
    pub const fn opened(&mut self, now: Moment, due: Option<u64>, offset: u64) {
        self.stream = Some(Stream { opened: now, due, offset, first: None });
    }

    /// That stream is over too: it was an attempt that failed.
    pub const fn relapse(&mut self, now: Moment) {
        if let Some(stream) = self.stream.take() {
            self.tried_ns += now.nanos_since(stream.opened);
        }
    }

    /// An event arrives; whether it is the first of its stream.
    pub fn hears(&mut self, now: Moment) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        // What came with the handshake was read before the stream was known to be open.
        stream.first.replace(stream.first.unwrap_or(now.max(stream.opened))).is_none()
    }

    /// Whether an event was due before the stream opened.
    pub fn was_due(&self, seq: u64) -> bool {
        self.stream.and_then(|stream| stream.due).is_some_and(|due| seq <= due)
    }

    /// Whether a client that has all events below `next` is where it would be without the loss.
    pub fn has_all(&self, next: u64) -> bool {
        self.stream.is_some_and(|stream| stream.due.is_none_or(|due| due < next))
    }

    /// It has all events that were due; so many bytes of its connection had come by then. Those since it was open.
    pub fn catch_up(&mut self, now: Moment, offset: u64) -> u64 {
        self.caught_up = self.stream.map_or(now, |stream| now.max(stream.opened));
        self.stream.map_or(0, |stream| offset.saturating_sub(stream.offset))
    }

    /// Detect, back off, connect, first event, catch up, ns.
    pub fn parts_ns(&self) -> [u64; 5] {
        let Some(stream) = self.stream else { return [0; 5] };
        let first = stream.first.unwrap_or(self.caught_up);
        [
            self.known.nanos_since(self.last),
            self.waited_ns,
            self.tried_ns,
            first.nanos_since(stream.opened),
            self.caught_up.nanos_since(first),
        ]
    }
}

/// What arrived when at one client, and when its streams were opened again.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// When, and the event behind the latest that it has then.
    arrivals: Vec<(Moment, u64)>,
    opens: Vec<Moment>,
}

impl Log {
    /// It had been greeted when all begins, with the event before `first`.
    pub fn greet(&mut self, when: Moment, first: u64) {
        self.arrivals = vec![(when, first)];
    }

    /// The event behind the latest that it has, or knows that it cannot have.
    pub fn next(&self) -> u64 {
        self.arrivals.last().map_or(0, |(_, next)| *next)
    }

    /// An event arrives, or word that those up to it cannot be had.
    pub fn arrived(&mut self, when: Moment, seq: u64) {
        self.arrivals.push((when, self.next().max(seq + 1)));
    }

    /// A stream is open again.
    pub fn opened(&mut self, when: Moment) {
        self.opens.push(when);
    }

    /// From when it last had all there was before a loss that was noticed at `known`, by an arrival or by a stream that
    /// opened when it had missed nothing, to having all that was due when a stream opened again, ns; `None` if that
    /// never came.
    pub fn without_ns(&self, known: Moment, expected: &Expected) -> Option<u64> {
        let before = self.arrivals.partition_point(|(when, _)| *when <= known);
        let (arrived, _) = *self.arrivals.get(before.checked_sub(1)?)?;
        let from = self.opens.partition_point(|opened| *opened <= known);
        let had_all =
            self.opens[..from].iter().rev().find(|opened| self.misses_at(**opened, expected).is_none());
        let last = had_all.map_or(arrived, |opened| arrived.max(*opened));
        let until = |open: usize| self.opens.get(open + 1).copied().unwrap_or(Moment::from_nanos(u64::MAX));
        (from..self.opens.len()).find_map(|open| {
            let opened = self.opens[open];
            let Some(wanted) = self.misses_at(opened, expected) else {
                return Some(opened.nanos_since(last));
            };
            let arrived =
                self.arrivals[before..].iter().find(|(when, next)| *when > opened && *next >= wanted);
            arrived.filter(|(when, _)| *when < until(open)).map(|(when, _)| when.nanos_since(last))
        })
    }

    /// The event behind those that it wants at a moment, if it does not have them all.
    fn misses_at(&self, moment: Moment, expected: &Expected) -> Option<u64> {
        let wanted = expected.due(moment).map_or(0, |due| due + 1);
        let held = self.arrivals.partition_point(|(when, _)| *when <= moment);
        let next = held.checked_sub(1).map_or(0, |last| self.arrivals[last].1);
        (next < wanted).then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::{Arrivals, Block, Payload, Scenario, Schedule};

    const fn at(ms: u64) -> Moment {
        Moment::from_nanos(ms * 1_000_000)
    }

    /// Events 1, 2, ... every 100 ms from 1 s on.
    fn expected() -> Expected {
        let (_, scenario) = Scenario::load("smoke", &[]).unwrap();
        let block =
            Block { lane: 0, round: 0, start_ns: 0, span_ns: 4_000_000_000, first_seq: 1, events: 40 };
        Expected::new(
            &scenario,
            &Payload::Ticker,
            at(1_000),
            &Schedule::new(Arrivals::Constant, 1, vec![block]),
        )
    }

    /// 1 to 3 arrive in time, the stream is lost at 1,250 ms and noticed at 1,300; two attempts, the first of which
    /// fails; 4 to 8 (due at 1,300 to 1,700) come from 1,760 ms on, one a millisecond.
    fn lived() -> (Episode, Log) {
        let mut log = Log::default();
        log.greet(at(900), 1);
        (1..=3).for_each(|seq| log.arrived(at(1_000 + 100 * (seq - 1)), seq));
        let mut episode = Episode::begin(at(1_200), at(1_300));
        (episode.waited_ns, episode.tried_ns, episode.attempts) = (250_000_000, 200_000_000, 2);
        log.opened(at(1_750));
        episode.opened(at(1_750), expected().due(at(1_750)), 200);
        for seq in 4..=8 {
            let now = at(1_756 + seq);
            episode.hears(now);
            log.arrived(now, seq);
            if episode.has_all(log.next()) {
                assert_eq!((seq, episode.catch_up(now, 700)), (8, 500));
            }
        }
        (episode, log)
    }

    #[test]
    fn the_parts_add_up_to_what_the_log_says() {
        let (episode, log) = lived();
        let ms = episode.parts_ns().map(|ns| ns / 1_000_000);
        assert_eq!(ms, [100, 250, 200, 10, 4]);
        assert_eq!(log.without_ns(episode.known, &expected()), Some(episode.parts_ns().iter().sum()));
    }

    #[test]
    fn who_missed_nothing_has_all_when_its_stream_is_open() {
        let mut log = Log::default();
        log.greet(at(900), 1);
        log.arrived(at(1_000), 1);
        let mut episode = Episode::begin(at(1_000), at(1_010));
        episode.opened(at(1_050), expected().due(at(1_050)), 0);
        (episode.waited_ns, episode.tried_ns) = (30_000_000, 10_000_000);
        log.opened(at(1_050));
        assert!(episode.has_all(log.next()));
        episode.catch_up(at(1_050), 0);
        log.arrived(at(1_100), 2);
        assert_eq!(log.without_ns(episode.known, &expected()), Some(50_000_000));
        assert_eq!(episode.parts_ns().iter().sum::<u64>(), 50_000_000);
    }

    /// A second loss before all had come: its attempt failed, and the recovery goes on.
    #[test]
    fn a_relapse_is_part_of_the_same_recovery() {
        let mut log = Log::default();
        log.greet(at(900), 1);
        let mut episode = Episode::begin(at(900), at(1_000));
        episode.opened(at(1_100), Some(2), 0);
        log.opened(at(1_100));
        episode.hears(at(1_120));
        log.arrived(at(1_120), 1);
        episode.relapse(at(1_130));
        assert_eq!(episode.tried_ns, 30_000_000);
        assert!(!episode.has_all(log.next()), "no stream");
        (episode.waited_ns, episode.tried_ns) = (150_000_000, 80_000_000);
        episode.opened(at(1_230), Some(3), 0);
        log.opened(at(1_230));
        for (ms, seq) in [(1_240, 2), (1_250, 3)] {
            episode.hears(at(ms));
            log.arrived(at(ms), seq);
        }
        assert!(episode.has_all(log.next()));
        episode.catch_up(at(1_250), 0);
        assert_eq!(episode.parts_ns().map(|ns| ns / 1_000_000), [100, 150, 80, 10, 10]);
        assert_eq!(log.without_ns(at(1_000), &expected()), Some(350_000_000));
    }

    /// Two losses with no event between them: the time that the first took is not counted again, nor is the time on the
    /// stream in between, on which nothing was missed.
    #[test]
    fn a_second_loss_without_an_event_between_begins_where_the_first_ended() {
        let mut log = Log::default();
        log.greet(at(900), 1);
        log.arrived(at(1_000), 1);
        let mut first = Episode::begin(at(1_000), at(1_010));
        (first.waited_ns, first.tried_ns) = (15_000_000, 5_000_000);
        first.opened(at(1_030), expected().due(at(1_030)), 0);
        log.opened(at(1_030));
        assert!(first.has_all(log.next()));
        first.catch_up(at(1_030), 0);
        let mut second = Episode::begin(at(1_030), at(1_050));
        (second.waited_ns, second.tried_ns) = (7_000_000, 3_000_000);
        second.opened(at(1_060), expected().due(at(1_060)), 0);
        log.opened(at(1_060));
        second.catch_up(at(1_060), 0);
        log.arrived(at(1_100), 2);
        for (episode, ms) in [(first, 30), (second, 30)] {
            assert_eq!(episode.parts_ns().iter().sum::<u64>(), ms * 1_000_000);
            assert_eq!(log.without_ns(episode.known, &expected()), Some(ms * 1_000_000));
        }
    }

    /// An event that was read with the handshake: its client had all when its stream was open, and not before.
    #[test]
    fn what_came_with_the_handshake_ends_a_recovery_when_the_stream_is_open() {
        let mut episode = Episode::begin(at(1_000), at(1_010));
        (episode.waited_ns, episode.tried_ns) = (30_000_000, 10_000_000);
        episode.opened(at(1_050), Some(1), 0);
        assert!(episode.hears(at(1_040)));
        episode.catch_up(at(1_040), 0);
        assert_eq!((episode.caught_up, episode.parts_ns()[3..].to_vec()), (at(1_050), vec![0, 0]));
    }

    #[test]
    fn who_never_had_all_again_has_no_time() {
        let (_, mut log) = lived();
        log.arrivals.truncate(6);
        assert_eq!(log.without_ns(at(1_300), &expected()), None);
    }
}
