//! What is expected of a phase: for every scheduled event its intended instant, body and place.
//!
//! Computed before time zero, so that judging an arrival is one look-up and one comparison of
//! bytes, without formatting or allocation on the measured path.

use scenarios::{Addressing, Identity, Lane, Moment, Payload, Scenario, Schedule};

/// One second of the time line, in nanoseconds.
pub const SLICE_NS: u64 = 1_000_000_000;

/// One scheduled event.
#[derive(Clone, Debug)]
pub struct Slot {
    /// When it is meant to leave.
    pub intended: Moment,
    /// Its body.
    pub body: Box<[u8]>,
    /// Index of its block.
    pub block: usize,
    /// Index of its second, counted over all blocks.
    pub slice: usize,
    /// The topic it goes to; `None` for all of them.
    pub topic: Option<u32>,
    /// Which of the events that its hearers get it is, from 0.
    pub place: u64,
}

/// All events of one phase of one lane.
#[derive(Clone, Debug)]
pub struct Expected {
    first_seq: u64,
    /// Whether events of earlier phases may still come: the lane holds them back.
    late: bool,
    slots: Vec<Slot>,
    addressing: Addressing,
    /// The sequence numbers of each topic, in order; empty where all hear all.
    topics: Vec<Vec<u64>>,
    slices: Vec<(usize, u64, u64)>,
}

impl Expected {
    /// Expands a schedule that begins at `start`.
    #[must_use]
    pub fn new(scenario: &Scenario, payload: &Payload, start: Moment, schedule: &Schedule) -> Self {
        let addressing = scenario.addressing();
        let mut expected = Self::nothing(schedule.first_seq(), addressing);
        for (index, block) in schedule.blocks().iter().enumerate() {
            let base = expected.slices.len();
            for second in 0..block.span_ns.div_ceil(SLICE_NS) {
                let offset = second * SLICE_NS;
                let length = SLICE_NS.min(block.span_ns - offset);
                expected.slices.push((index, block.start_ns + offset, length));
            }
            for seq in block.first_seq..block.first_seq + block.events {
                let offset = schedule.intended(seq).expect("the schedule holds the events of its blocks");
                let second = usize::try_from((offset - block.start_ns) / SLICE_NS).expect("few seconds");
                let (topic, place) = expected.address(seq);
                expected.slots.push(Slot {
                    topic,
                    place,
                    intended: start.plus_nanos(offset),
                    body: payload.body(scenario.seed, seq).into(),
                    block: index,
                    slice: base + second,
                });
            }
        }
        expected
    }

    fn nothing(first_seq: u64, addressing: Addressing) -> Self {
        let topics = if addressing.topics() == 1 { 0 } else { addressing.topics() };
        let topics = vec![Vec::new(); usize::try_from(topics).expect("a number of subscribers")];
        Self { first_seq, late: false, addressing, topics, slots: Vec::new(), slices: Vec::new() }
    }

    /// Notes to whom the next event goes: its topic, and its place among the events there.
    fn address(&mut self, seq: u64) -> (Option<u32>, u64) {
        let topic = self.addressing.topic_of(seq).and_then(|topic| u32::try_from(topic).ok());
        let Some(own) = topic.and_then(|topic| self.topics.get_mut(topic as usize)) else {
            return (None, seq - self.first_seq);
        };
        own.push(seq);
        (topic, own.len() as u64 - 1)
    }

    /// The topic that a client hears.
    #[must_use]
    pub fn heard_by(&self, client: u64) -> u32 {
        u32::try_from(self.addressing.heard_by(client)).expect("the scenario bounds its subscribers")
    }

    /// How many of the events below `end` the hearers of a topic get.
    #[must_use]
    pub fn places(&self, topic: u32, end: u64) -> u64 {
        match self.topics.get(topic as usize) {
            Some(seqs) => seqs.partition_point(|seq| *seq < end) as u64,
            None => end - self.first_seq,
        }
    }

    /// The event at a place among those that the hearers of a topic get.
    #[must_use]
    pub fn at(&self, topic: u32, place: u64) -> Option<u64> {
        match self.topics.get(topic as usize) {
            Some(seqs) => seqs.get(usize::try_from(place).ok()?).copied(),
            None => Some(self.first_seq + place),
        }
    }

    /// The first client that gets the first event.
    #[must_use]
    pub fn first_hearer(&self) -> u64 {
        self.slots.first().and_then(|slot| slot.topic).unwrap_or(0).into()
    }

    /// The slot of a sequence number.
    #[must_use]
    pub fn slot(&self, seq: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(seq.checked_sub(self.first_seq)?).ok()?)
    }

    /// The sequence number of a body, for events that carry no id: that of `likely`, if it is its
    /// body, else of the first event that has it.
    #[must_use]
    pub fn seq_of(&self, body: &[u8], likely: u64) -> Option<u64> {
        if self.slot(likely).is_some_and(|slot| *slot.body == *body) {
            return Some(likely);
        }
        let index = self.slots.iter().position(|slot| *slot.body == *body)?;
        Some(self.first_seq + index as u64)
    }

    /// The same on a lane that may still deliver events of earlier phases.
    #[must_use]
    pub fn on(self, lane: Lane) -> Self {
        Self { late: lane.holds_back(), ..self }
    }

    /// The sequence number of the last event that is due at a moment, if one is.
    #[must_use]
    pub fn due(&self, now: Moment) -> Option<u64> {
        let due = self.slots.partition_point(|slot| slot.intended <= now) as u64;
        due.checked_sub(1).map(|last| self.first_seq + last)
    }

    /// Whether an event that is not scheduled may be one that an earlier phase left in a buffer: it is no
    /// part of this one.
    #[must_use]
    pub fn is_earlier(&self, seq: Option<u64>) -> bool {
        self.late && seq.is_none_or(|seq| seq < self.first_seq)
    }

    /// The first sequence number.
    #[must_use]
    pub const fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// The seconds of the time line: `(block, start, length)`, ns after time zero.
    #[must_use]
    pub fn slices(&self) -> &[(usize, u64, u64)] {
        &self.slices
    }
}

/// The event name every lane carries under this identity.
#[must_use]
pub fn name_on_wire(scenario: &Scenario) -> Option<&[u8]> {
    match scenario.identity {
        Identity::IdEvent => Some(scenario.event.as_bytes()),
        Identity::None | Identity::Id => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::{Arrivals, Block};

    #[test]
    fn slots_lie_in_their_block_and_second() {
        let (_, scenario) = Scenario::load("smoke", &[]).unwrap();
        let block = Block { lane: 0, round: 0, start_ns: 5, span_ns: 2_500_000_000, first_seq: 7, events: 5 };
        let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
        let expected = Expected::new(&scenario, &Payload::Ticker, Moment::from_nanos(1_000), &schedule);
        let places: Vec<(u64, usize)> = (7..12)
            .map(|seq| expected.slot(seq).map(|s| (s.intended.as_nanos(), s.slice)).unwrap())
            .collect();
        let at = |i: u64| 1_005 + i * 500_000_000;
        assert_eq!(places, [(at(0), 0), (at(1), 0), (at(2), 1), (at(3), 1), (at(4), 2)]);
        assert_eq!(
            expected.slices(),
            [(0, 5, SLICE_NS), (0, 1_000_000_005, SLICE_NS), (0, 2_000_000_005, 500_000_000)]
        );
        assert!(expected.slot(6).is_none() && expected.slot(12).is_none());
        let earlier = |lane: &str| {
            let expected = expected.clone().on(lane.parse().unwrap());
            [None, Some(6), Some(12)].map(|seq| expected.is_earlier(seq))
        };
        assert_eq!(earlier("sse-h1+gzip"), [false; 3]);
        assert_eq!(earlier("sse-h1+gzip-buffered"), [true, true, false]);
        assert_eq!(
            [7, 9, 99].map(|likely| expected.seq_of(&Payload::Ticker.body(scenario.seed, 9), likely)),
            [Some(9); 3]
        );
    }
}
