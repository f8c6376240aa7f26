//! The latest events of a lane, kept for those who ask for what came after an id.
//!
//! Bounded by number and by bytes; what falls out is known by its id, so that whoever asks for it is
//! told how much is gone and is never given a gap in silence. Pure: who keeps it, and answers from
//! it, is the hub.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes of framed events that are kept at most; the latest event always is.
pub const WINDOW_BYTES: usize = 16 << 20;

/// The latest events.
#[derive(Debug)]
pub struct Window {
    events: VecDeque<(u64, Bytes)>,
    bytes: usize,
    most: usize,
    /// The highest id that fell out.
    forgotten: Option<u64>,
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
    /// Room for so many events.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { events: VecDeque::new(), bytes: 0, most, forgotten: None }
    }

    /// Adds an event; ids only grow.
    pub fn push(&mut self, id: u64, event: Bytes) {
        self.bytes += event.len();
        self.events.push_back((id, event));
        while self.events.len() > 1 && (self.events.len() > self.most || self.bytes > WINDOW_BYTES) {
            let Some((id, event)) = self.events.pop_front() else { break };
            self.bytes -= event.len();
            self.forgotten = Some(id);
        }
    }

    /// The event after an id, if there is one.
    ///
    /// # Errors
    /// Something between the two is missing, or nothing is known of that id.
    pub fn next(&self, after: u64) -> Result<Option<(u64, Bytes)>, Gap> {
        let newest = self.newest();
        match self.forgotten.filter(|forgotten| *forgotten > after).or((newest < after).then_some(newest)) {
            Some(through) => Err(Gap { after: Some(after), through }),
            None => {
                let next = self.events.partition_point(|(kept, _)| *kept <= after);
                Ok(self.events.get(next).cloned())
            }
        }
    }

    /// The highest id there was; 0 before the first.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.events.back().map_or(0, |(id, _)| *id)
    }

    /// The events after an id; without one, the latest alone.
    #[must_use]
    pub fn after(&self, id: Option<u64>) -> Replay {
        let from = match id {
            Some(id) => self.events.partition_point(|(kept, _)| *kept <= id),
            None => self.events.len().saturating_sub(1),
        };
        let lost = id.zip(self.forgotten).map_or(0, |(id, forgotten)| forgotten.saturating_sub(id));
        Replay { lost, events: self.events.range(from..).map(|(_, event)| event.clone()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(most: usize, ids: std::ops::RangeInclusive<u64>, bytes: usize) -> Window {
        let mut window = Window::new(most);
        ids.for_each(|id| window.push(id, vec![u8::try_from(id).unwrap(); bytes].into()));
        window
    }

    fn ids(replay: &Replay) -> Vec<u8> {
        replay.events.iter().map(|event| event[0]).collect()
    }

    #[test]
    fn what_fell_out_is_told_and_never_left_out_in_silence() {
        let window = window(3, 1..=7, 1);
        let asked = |id| {
            let replay = window.after(id);
            (replay.lost, ids(&replay))
        };
        assert_eq!(asked(Some(7)), (0, vec![]));
        assert_eq!(asked(Some(6)), (0, vec![7]));
        assert_eq!(asked(Some(4)), (0, vec![5, 6, 7]));
        assert_eq!(asked(Some(3)), (1, vec![5, 6, 7]));
        assert_eq!(asked(Some(0)), (4, vec![5, 6, 7]));
        assert_eq!(asked(None), (0, vec![7]));
        assert_eq!(Window::new(3).after(Some(0)), Replay::default());
    }

    #[test]
    fn who_comes_back_gets_what_it_missed_or_is_told_what_is_gone() {
        let window = window(3, 1..=7, 1);
        let next = |after| window.next(after).map(|next| next.map(|(id, _)| id));
        let gap = |after, through| Err(Gap { after: Some(after), through });
        assert_eq!((next(4), next(6), next(7)), (Ok(Some(5)), Ok(Some(7)), Ok(None)));
        assert_eq!((next(3), next(0)), (gap(3, 4), gap(0, 4)), "what fell out");
        assert_eq!(next(9), gap(9, 7), "an id of another life of this server");
        assert_eq!(
            (Window::new(3).next(0), Window::new(3).next(5)),
            (Ok(None), Err(Gap { after: Some(5), through: 0 }))
        );
        assert_eq!(Gap { after: Some(3), through: 4 }.body(), r#"{"after":3,"through":4}"#);
        assert_eq!(Gap { after: None, through: 4 }.body(), r#"{"after":null,"through":4}"#);
    }

    #[test]
    fn bytes_bound_it_too_and_the_latest_is_always_kept() {
        assert_eq!(ids(&window(100, 1..=5, WINDOW_BYTES / 2).after(Some(0))), [4, 5]);
        assert_eq!(ids(&window(100, 1..=3, WINDOW_BYTES + 1).after(Some(0))), [3]);
    }

    proptest! {
        /// Asking again and again, at any moment, gives every event once or says that it is lost.
        #[test]
        fn a_cursor_sees_everything_once(most in 1usize..8, asks: Vec<bool>) {
            let (mut window, mut published, mut cursor, mut lost) = (Window::new(most), 0u64, 0u64, 0);
            let mut seen = Vec::new();
            for ask in asks.into_iter().take(200).chain([true]) {
                if ask {
                    let replay = window.after(Some(cursor));
                    lost += replay.lost;
                    seen.extend(ids(&replay));
                    cursor = published;
                } else {
                    published += 1;
                    window.push(published, vec![u8::try_from(published).unwrap()].into());
                }
            }
            prop_assert_eq!(seen.len() as u64 + lost, published);
            prop_assert!(seen.windows(2).all(|two| two[0] < two[1]));
        }
    }
}
