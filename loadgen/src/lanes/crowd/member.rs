//! One connection in the crowd, and where its events go: whatever it does, its bytes are counted after, and
//! what breaks it is told.

use scenarios::Moment;

use super::Due;
use crate::failure::Failure;
use crate::lanes::Sink;
use crate::lanes::lean::Lean;

/// An open connection.
pub struct Member<S> {
    pub lean: Lean,
    pub sink: S,
    pub slow: bool,
}

impl<S: Sink> Member<S> {
    /// Its time, or a client's of it, has come; whether it will have to be told again.
    pub fn due(&mut self, client: u64, (at, what): Due, now: Moment) -> Result<bool, Failure> {
        let told = match what.filter(|_| self.lean.speaks()) {
            None => self.lean.due(what),
            Some(number) => {
                let said = self.lean.say(client, number);
                let stream = usize::try_from(client - self.lean.clients().start).expect("streams in memory");
                self.sink.spoke(stream, now.nanos_since(at), said.as_ref().is_ok_and(|taken| *taken));
                said.map(|_| true)
            }
        };
        self.sink.counted(Some(self.lean.counts()));
        told.inspect_err(|failure| self.over(failure))
    }

    /// One read, however much waits.
    pub fn sip(&mut self) -> Result<(), Failure> {
        let served = self.lean.sip(&mut self.sink);
        self.sink.counted(Some(self.lean.counts()));
        served.inspect_err(|failure| self.over(failure))
    }

    /// Reads its stream, or the connection beside it.
    pub fn serve(&mut self, beside: bool, over: bool) -> Result<(), Failure> {
        let served = match beside {
            true => self.lean.serve_beside(over),
            false => self.lean.serve(&mut self.sink, over),
        };
        self.sink.counted(Some(self.lean.counts()));
        served.inspect_err(|failure| self.over(failure))
    }

    /// What ends a connection ends its streams.
    pub fn over(&mut self, failure: &Failure) {
        self.lean.live().into_iter().for_each(|stream| self.sink.over(stream, failure));
    }
}
