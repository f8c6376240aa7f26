//! What streams are opened on: whether at all, until when, and what each is told first.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use scenarios::Hint;

use super::Hub;

/// What streams are opened on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// The reconnection time that event streams are told of.
    pub hint: Hint,
    /// What hints are drawn with.
    pub seed: u64,
    /// Hints times this.
    pub scale: f64,
    /// Subscriptions above which a stream is refused; 0 for no bound.
    pub most: u64,
    /// Age at which a stream ends; zero for none.
    pub max_age: Duration,
}

/// Why a stream is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// The server was told to answer with this status.
    Told(u16),
    /// There are as many streams as there may be.
    Full,
}

impl Barred {
    /// The status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Told(status) => status,
            Self::Full => 503,
        }
    }

    /// What it is counted as.
    #[must_use]
    pub fn reason(self) -> String {
        match self {
            Self::Told(status) => format!("status {status}"),
            Self::Full => "too many streams".to_owned(),
        }
    }
}

impl Hub {
    /// The same hub, not used yet, on these terms.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn on(self, terms: Terms) -> Self {
        self.with(|shared| shared.terms = terms)
    }

    /// The same hub, not used yet, whose ids are those of a log that other servers give too: who comes back with an
    /// id that is still to come here waits for what is behind it.
    ///
    /// # Panics
    /// It is used already.
    #[must_use]
    pub fn following(self) -> Self {
        self.with(|shared| shared.follows = true)
    }

    /// What streams are opened on.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// Answers requests for streams with this status from now on, or with streams again.
    pub fn refuse(&self, status: Option<u16>) {
        self.0.refusing.store(status.unwrap_or(0), Relaxed);
    }

    /// Why a stream cannot be opened now, if it cannot.
    #[must_use]
    pub fn barred(&self) -> Option<Barred> {
        let most = self.0.terms.most;
        match self.0.refusing.load(Relaxed) {
            0 => (most > 0 && self.subscriptions() as u64 >= most).then_some(Barred::Full),
            status => Some(Barred::Told(status)),
        }
    }

    /// What the next event stream is told of its reconnection time, framed as an event stream has it (WHATWG HTML
    /// 9.2.6), if it is told any.
    #[must_use]
    pub fn hint(&self) -> Option<Bytes> {
        let Terms { hint, seed, scale, .. } = self.0.terms;
        if hint.is_none() {
            return None;
        }
        let millis = hint.draw(seed, self.0.hinted.fetch_add(1, Relaxed), scale)?;
        Some(format!("retry: {millis}\n\n").into())
    }
}
