//! Many absolute deadlines on one timer of the kernel.
//!
//! The runtime's own timers are late by a millisecond (METHOD M3), which is more than an event takes over
//! loopback. Streams of their own have each a timeline of its own, so a thread that sleeps for one
//! timeline does not serve; this is one `timerfd`, set to the earliest deadline of all, in the runtime that
//! writes: from outside, every wake would cost a system call more.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use scenarios::Moment;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Who waits for when; the number keeps those of one instant apart.
type Waiting = BTreeMap<(Moment, u64), Waker>;

/// One timer for all who wait on this runtime. Clones share it.
#[derive(Clone, Debug)]
pub struct Alarm(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    timer: Arc<AsyncFd<Timer>>,
    waiting: Mutex<(Waiting, u64)>,
}

#[derive(Debug)]
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Ends at its deadline; gives it up when dropped.
#[derive(Debug)]
pub struct Until {
    alarm: Alarm,
    deadline: Moment,
    number: Option<u64>,
}

impl Alarm {
    /// Makes the timer, and a task of the current runtime that attends to it as long as anyone may wait.
    ///
    /// # Errors
    /// The kernel gives no timer.
    pub fn start() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
        #[expect(unsafe_code, reason = "tokio offers no safe way to wait for a timerfd")]
        // SAFETY: the AsyncFd owns the timer, which is never replaced and closed only with it.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
        let shared = Arc::new(Shared { timer: Arc::new(timer), waiting: Mutex::default() });
        tokio::spawn(attend(Arc::clone(&shared.timer), Arc::downgrade(&shared)));
        Ok(Self(shared))
    }

    /// Ends at a moment, at once if it is over.
    #[must_use]
    pub fn until(&self, deadline: Moment) -> Until {
        Until { alarm: self.clone(), deadline, number: None }
    }
}

async fn attend(timer: Arc<AsyncFd<Timer>>, shared: std::sync::Weak<Shared>) {
    // Whoever drops the last alarm drops this task with the runtime, or lets it find nobody.
    while let Ok(mut rung) = timer.readable().await {
        // Read, so that it rings again; one that was wound anew meanwhile has nothing to read.
        let _rung = timer.get_ref().0.wait();
        rung.clear_ready();
        drop(rung);
        let Some(shared) = shared.upgrade() else { return };
        shared.ring(Moment::now());
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, (Waiting, u64)> {
        self.waiting.lock().expect("no holder of this lock panics")
    }

    /// Wakes all whose time has come, outside the lock, and winds the timer for the next.
    fn ring(&self, now: Moment) {
        let mut waiting = self.waiting();
        let later = waiting.0.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut waiting.0, later);
        self.wind(&waiting.0);
        drop(waiting);
        due.into_values().for_each(Waker::wake);
    }

    fn wind(&self, waiting: &Waiting) {
        let Some(((first, _), _)) = waiting.first_key_value() else { return };
        let at = TimeSpec::from_duration(Duration::from_nanos(first.as_nanos().max(1)));
        let set = self.timer.get_ref().0.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME);
        set.expect("a monotonic instant is a valid one");
    }
}

impl Until {
    /// When it ends.
    #[must_use]
    pub const fn deadline(&self) -> Moment {
        self.deadline
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Moment::now() >= self.deadline {
            return Poll::Ready(());
        }
        let shared = Arc::clone(&self.alarm.0);
        let mut waiting = shared.waiting();
        let number = *self.number.get_or_insert(waiting.1);
        waiting.1 = waiting.1.max(number + 1);
        let key = (self.deadline, number);
        waiting.0.insert(key, cx.waker().clone());
        if waiting.0.first_key_value().is_some_and(|(first, _)| *first == key) {
            shared.wind(&waiting.0);
        }
        Poll::Pending
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.alarm.0.waiting().0.remove(&(self.deadline, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[tokio::test]
    async fn deadlines_end_in_their_order_however_they_were_set_and_never_early() {
        let alarm = Alarm::start().unwrap();
        let start = Moment::now();
        let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
        // One that is far away does not hold up those that are set behind it.
        let mut far = Box::pin(alarm.until(start.plus_nanos(3_600_000 * MS)));
        assert!(futures_util::poll!(&mut far).is_pending());
        for millis in [30, 10, 20, 10, 0] {
            let (until, say) = (alarm.until(start.plus_nanos(millis * MS)), say.clone());
            tokio::spawn(async move {
                until.await;
                say.send((millis, Moment::now().nanos_since(start))).unwrap();
            });
        }
        drop(say);
        let mut order = Vec::new();
        while let Some((millis, at)) = said.recv().await {
            assert!(at >= millis * MS, "{at}");
            order.push(millis);
        }
        assert_eq!(order, [0, 10, 10, 20, 30]);
        assert_eq!(alarm.0.waiting().0.len(), 1);
    }

    #[tokio::test]
    async fn who_gives_up_is_forgotten() {
        let alarm = Alarm::start().unwrap();
        let mut until = Box::pin(alarm.until(Moment::now().plus_nanos(3_600_000 * MS)));
        assert!(futures_util::poll!(&mut until).is_pending());
        assert_eq!(alarm.0.waiting().0.len(), 1);
        drop(until);
        assert!(alarm.0.waiting().0.is_empty());
    }
}
