//! The latest events of a lane, kept for those who ask for what came after an id.
//!
//! Bounded by number, by bytes and by age; what falls out is known by its id, so that whoever asks for it is
//! told how much is gone and is never given a gap in silence. Pure: who keeps it, and answers from
//! it, is the hub, which says what time it is.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use scenarios::Moment;

/// Bytes of framed events that are kept at most, unless told otherwise.
pub const WINDOW_BYTES: usize = 16 << 20;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Events; with 0 none is ever kept, and whatever somebody missed is a gap.
    pub events: usize,
    /// Bytes of framed events. The latest event is kept however large it is.
    pub bytes: usize,
    /// Time since an event was pushed; zero for as long as there is room. The latest event too is too old some time.
    pub age: Duration,
}

impl Bounds {
    /// So many events, as far as they fit into [`WINDOW_BYTES`].
    #[must_use]
    pub const fn of(events: usize) -> Self {
        Self { events, bytes: WINDOW_BYTES, age: Duration::ZERO }
    }
}

/// The latest events.
#[derive(Debug)]
pub struct Window {
    events: VecDeque<Kept>,
    bytes: usize,
    bounds: Bounds,
    /// The highest id there was.
    newest: u64,
    /// The highest id that fell out.
    forgotten: Option<u64>,
}

#[derive(Debug)]
struct Kept {
    id: u64,
    pushed: Moment,
    event: Bytes,
}

/// Events that somebody who comes back asked for and cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last id it has; `None` if that is no id of ours.
    pub after: Option<u64>,
    /// The last id that cannot be given; below `after` where ids have begun anew.
    pub through: u64,
}

impl Gap {
    /// What an event of this name says: `{"after":7,"through":12}`.
    #[must_use]
    pub fn body(&self) -> String {
        let after = self.after.map_or_else(|| "null".to_owned(), |after| after.to_string());
        format!("{{\"after\":{after},\"through\":{}}}", self.through)
    }
}

/// What came after an id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Events that came after it and are no longer kept, counted by their ids.
    pub lost: u64,
    /// Those that are, in order.
    pub events: Vec<Bytes>,
}

impl Window {
    /// Room for so much.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self { events: VecDeque::new(), bytes: 0, bounds, newest: 0, forgotten: None }
    }

    /// Adds an event that is published at `now`; ids only grow, and so does time.
    pub fn push(&mut self, id: u64, event: Bytes, now: Moment) {
        self.bytes += event.len();
        self.newest = id;
        self.events.push_back(Kept { id, pushed: now, event });
        self.forget(now);
    }

    /// Forgets what is beyond the bounds at `now`.
    fn forget(&mut self, now: Moment) {
        let Bounds { events, bytes, age } = self.bounds;
        while let Some(oldest) = self.events.front() {
            let length = self.events.len();
            let is_too_much = length > events || (length > 1 && self.bytes > bytes);
            let is_too_old = !age.is_zero() && now.since(oldest.pushed) > age;
            if !is_too_much && !is_too_old {
                return;
            }
            self.bytes -= oldest.event.len();
            self.forgotten = Some(oldest.id);
            self.events.pop_front();
        }
    }

    /// The event after an id, if there is one.
    ///
    /// # Errors
    /// Something between the two is missing, or nothing is known of that id.
    pub fn next(&mut self, after: u64, now: Moment) -> Result<Option<(u64, Bytes)>, Gap> {
        self.forget(now);
        let newest = self.newest;
        match self.forgotten.filter(|forgotten| *forgotten > after).or((newest < after).then_some(newest)) {
            Some(through) => Err(Gap { after: Some(after), through }),
            None => {
                let next = self.events.get(self.behind(after));
                Ok(next.map(|kept| (kept.id, kept.event.clone())))
            }
        }
    }

    /// The highest id there was; 0 before the first.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// The events after an id; without one, the latest alone.
    #[must_use]
    pub fn after(&mut self, id: Option<u64>, now: Moment) -> Replay {
        self.forget(now);
        let from = match id {
            Some(id) => self.behind(id),
            None => self.events.len().saturating_sub(1),
        };
        let lost = id.zip(self.forgotten).map_or(0, |(id, forgotten)| forgotten.saturating_sub(id));
        Replay { lost, events: self.events.range(from..).map(|kept| kept.event.clone()).collect() }
    }

    /// Where the first event after an id is.
    fn behind(&self, id: u64) -> usize {
        self.events.partition_point(|kept| kept.id <= id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: Moment = Moment::from_nanos(0);

    fn window(most: usize, ids: std::ops::RangeInclusive<u64>, bytes: usize) -> Window {
        let mut window = Window::new(Bounds::of(most));
        ids.for_each(|id| window.push(id, vec![u8::try_from(id).unwrap(); bytes].into(), AT));
        window
    }

    fn ids(replay: &Replay) -> Vec<u8> {
        replay.events.iter().map(|event| event[0]).collect()
    }

    #[test]
    fn what_fell_out_is_told_and_never_left_out_in_silence() {
        let mut window = window(3, 1..=7, 1);
        let mut asked = |id| {
            let replay = window.after(id, AT);
            (replay.lost, ids(&replay))
        };
        assert_eq!(asked(Some(7)), (0, vec![]));
        assert_eq!(asked(Some(6)), (0, vec![7]));
        assert_eq!(asked(Some(4)), (0, vec![5, 6, 7]));
        assert_eq!(asked(Some(3)), (1, vec![5, 6, 7]));
        assert_eq!(asked(Some(0)), (4, vec![5, 6, 7]));
        assert_eq!(asked(None), (0, vec![7]));
        assert_eq!(Window::new(Bounds::of(3)).after(Some(0), AT), Replay::default());
    }

    #[test]
    fn who_comes_back_gets_what_it_missed_or_is_told_what_is_gone() {
        let mut window = window(3, 1..=7, 1);
        let mut next = |after| window.next(after, AT).map(|next| next.map(|(id, _)| id));
        let gap = |after, through| Err(Gap { after: Some(after), through });
        assert_eq!((next(4), next(6), next(7)), (Ok(Some(5)), Ok(Some(7)), Ok(None)));
        assert_eq!((next(3), next(0)), (gap(3, 4), gap(0, 4)), "what fell out");
        assert_eq!(next(9), gap(9, 7), "an id of another life of this server");
        assert_eq!(
            (Window::new(Bounds::of(3)).next(0, AT), Window::new(Bounds::of(3)).next(5, AT)),
            (Ok(None), Err(Gap { after: Some(5), through: 0 }))
        );
        assert_eq!(Gap { after: Some(3), through: 4 }.body(), r#"{"after":3,"through":4}"#);
        assert_eq!(Gap { after: None, through: 4 }.body(), r#"{"after":null,"through":4}"#);
    }

    #[test]
    fn bytes_bound_it_too_and_the_latest_is_always_kept() {
        assert_eq!(ids(&window(100, 1..=5, WINDOW_BYTES / 2).after(Some(0), AT)), [4, 5]);
        assert_eq!(ids(&window(100, 1..=3, WINDOW_BYTES + 1).after(Some(0), AT)), [3]);
    }

    /// What becomes too old is told like what fell out, also when nothing is pushed meanwhile.
    #[test]
    fn age_bounds_it_too_and_the_latest_is_forgotten_with_the_rest() {
        let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
        let mut window = Window::new(Bounds { age: Duration::from_secs(10), ..Bounds::of(100) });
        (1..=5).for_each(|id| window.push(id, vec![u8::try_from(id).unwrap()].into(), at(id * 2)));
        let next =
            |window: &mut Window, after, now| window.next(after, at(now)).map(|next| next.map(|(id, _)| id));
        let gap = |after, through| Err(Gap { after: Some(after), through });
        assert_eq!((next(&mut window, 0, 12), next(&mut window, 0, 13)), (Ok(Some(1)), gap(0, 1)));
        assert_eq!(
            window.after(Some(0), at(16)),
            Replay { lost: 2, events: [3, 4, 5].map(|n| vec![n].into()).into() }
        );
        assert_eq!((next(&mut window, 4, 21), next(&mut window, 5, 99)), (gap(4, 5), Ok(None)));
        assert_eq!((window.bytes, window.newest(), next(&mut window, 6, 99)), (0, 5, gap(6, 5)));
        window.push(6, vec![6].into(), at(100));
        assert_eq!((next(&mut window, 5, 100), next(&mut window, 3, 100)), (Ok(Some(6)), gap(3, 5)));
    }

    #[test]
    fn without_room_whatever_was_missed_is_a_gap_and_nothing_is_held() {
        let mut window = window(0, 1..=4, 1);
        assert_eq!((window.bytes, window.newest()), (0, 4));
        assert_eq!(window.next(3, AT), Err(Gap { after: Some(3), through: 4 }));
        assert_eq!((window.next(4, AT), window.after(None, AT)), (Ok(None), Replay::default()));
    }

    proptest! {
        /// Asking again and again, at any moment, gives every event once or says that it is lost.
        #[test]
        fn a_cursor_sees_everything_once(most in 1usize..8, asks: Vec<bool>) {
            let (mut window, mut published, mut cursor, mut lost) = (Window::new(Bounds::of(most)), 0u64, 0u64, 0);
            let mut seen = Vec::new();
            for ask in asks.into_iter().take(200).chain([true]) {
                if ask {
                    let replay = window.after(Some(cursor), AT);
                    lost += replay.lost;
                    seen.extend(ids(&replay));
                    cursor = published;
                } else {
                    published += 1;
                    window.push(published, vec![u8::try_from(published).unwrap()].into(), AT);
                }
            }
            prop_assert_eq!(seen.len() as u64 + lost, published);
            prop_assert!(seen.windows(2).all(|two| two[0] < two[1]));
        }
    }
}
