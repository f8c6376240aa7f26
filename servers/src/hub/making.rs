//! How a hub is made: what it keeps, takes and gives is settled before anybody shares it.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};

use scenarios::{Scenario, SlowPolicy};

use super::{Hub, Shared, Terms};
use crate::inject::Drops;
use crate::lanes::Gaps;
use crate::session::Own;
use crate::upward::Upward;
use crate::window::{Bounds, Window};

impl Hub {
    /// A hub of one topic whose subscribers may lag `capacity` events behind.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_topics(1, capacity)
    }

    /// A hub of so many topics.
    ///
    /// # Panics
    /// There is no topic.
    #[must_use]
    pub fn with_topics(topics: usize, capacity: usize) -> Self {
        assert!(topics > 0, "somebody must be able to subscribe");
        let topics = (0..topics).map(|_| Mutex::default()).collect();
        Self(Arc::new(Shared {
            topics,
            capacity,
            policy: SlowPolicy::default(),
            gaps: None,
            keeps: false,
            own: None,
            published: Arc::default(),
            ended: Arc::default(),
            closed: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            held: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            upward: None,
            terms: Terms::default(),
            follows: false,
            live: AtomicUsize::new(0),
            drains: AtomicU32::new(0),
            leaving: AtomicBool::new(false),
            hinted: AtomicU64::new(0),
            refusing: AtomicU16::new(0),
            drops: None,
        }))
    }

    /// The hub that a scenario asks for.
    ///
    /// # Errors
    /// Its numbers do not fit this machine.
    pub fn of(scenario: &Scenario) -> Result<Self, std::num::TryFromIntError> {
        let topics = usize::try_from(scenario.addressing().topics())?;
        Ok(Self::with_topics(topics, usize::try_from(scenario.lag.0)?).treating(scenario.slow_policy))
    }

    /// The same hub, not used yet, with another policy for subscribers that lag too far behind.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn treating(self, policy: SlowPolicy) -> Self {
        self.with(|shared| shared.policy = policy)
    }

    /// The same hub, not used yet, with a change.
    pub(super) fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Arc::into_inner(self.0).expect("nobody shares a hub that is being made");
        change(&mut shared);
        Self(Arc::new(shared))
    }

    /// The same hub, not used yet, which also keeps its latest events for those who ask for what came
    /// after an id: as many as a subscriber may lag behind, as far as they fit into
    /// [`WINDOW_BYTES`](crate::window::WINDOW_BYTES) for each topic.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn keeping(self) -> Self {
        let bounds = Bounds::of(self.0.capacity);
        self.keeping_within(bounds)
    }

    /// The same with other bounds for each topic.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn keeping_within(self, bounds: Bounds) -> Self {
        self.with(|shared| {
            shared.keeps = true;
            let window = || Some(Window::new(bounds));
            (0..shared.topics.len()).for_each(|topic| shared.topic(topic).kept = window());
        })
    }

    /// The same hub, not used yet, which keeps its latest events and lets clients go on after the last they got.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn resuming(self, gaps: Gaps) -> Self {
        let bounds = Bounds::of(self.0.capacity);
        self.resuming_within(gaps, bounds)
    }

    /// The same with other bounds for what it keeps of each topic.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn resuming_within(self, gaps: Gaps, bounds: Bounds) -> Self {
        self.with(|shared| shared.gaps = Some(gaps)).keeping_within(bounds)
    }

    /// The same hub, not used yet, that gives everybody a stream of their own.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn with_own(self, own: Own) -> Self {
        self.with(|shared| shared.own = Some(own))
    }

    /// The same hub, not used yet, which leaves deliveries out and does not count them: a fault made on purpose.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn dropping(self, drops: Drops) -> Self {
        self.with(|shared| shared.drops = Some(drops))
    }

    /// The same hub, not used yet, which also takes messages from its subscribers.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn taking(self, upward: Upward) -> Self {
        self.with(|shared| shared.upward = Some(upward))
    }
}
