//! Why a connection failed, as data: counted by kind, never only printed.
//!
//! Apart from `anyhow`, because the fleet branches on these and a run saves their counts.

use std::io;

/// What ended a connection, or kept it from opening.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// The peer, or the kernel, cut the connection.
    #[error("connection reset")]
    Reset,
    /// Nothing came in time.
    #[error("timed out")]
    TimedOut,
    /// The peer broke the rules of its protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
    /// The response's status is not the one that opens the stream.
    #[error("status {0}")]
    Status(u16),
    /// The response says where else to ask.
    #[error("status {0}, moved to {1}")]
    Moved(u16, String),
    /// The response is no event stream.
    #[error("content type `{0}` is not text/event-stream")]
    ContentType(String),
    /// The peer reset the stream (HTTP/2); the error code that it named.
    #[error("stream reset: {0}")]
    StreamReset(&'static str),
    /// The peer takes no more streams on the connection, or ended it (HTTP/2); the error code that it
    /// named.
    #[error("connection given up by the peer: {0}")]
    GoAway(&'static str),
    /// The stream ended in good order, or the peer closed it.
    #[error("stream ended")]
    Ended,
    /// Any other error of the operating system.
    #[error("{0}")]
    Io(String),
}

/// What an error of the operating system means for a connection.
const KINDS: [(io::ErrorKind, Failure); 7] = [
    (io::ErrorKind::ConnectionRefused, Failure::Refused),
    (io::ErrorKind::ConnectionReset, Failure::Reset),
    (io::ErrorKind::ConnectionAborted, Failure::Reset),
    (io::ErrorKind::BrokenPipe, Failure::Reset),
    (io::ErrorKind::NotConnected, Failure::Reset),
    (io::ErrorKind::TimedOut, Failure::TimedOut),
    (io::ErrorKind::UnexpectedEof, Failure::Ended),
];

impl Failure {
    /// The name it is counted under.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed-out",
            Self::Protocol(_) => "protocol",
            Self::Status(_) => "status",
            Self::Moved(..) => "moved",
            Self::ContentType(_) => "content-type",
            Self::StreamReset(_) => "stream-reset",
            Self::GoAway(_) => "go-away",
            Self::Ended => "ended",
            Self::Io(_) => "io",
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let known = KINDS.into_iter().find(|(kind, _)| *kind == error.kind());
        known.map_or_else(|| Self::Io(error.to_string()), |(_, failure)| failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_counted_by_what_they_mean() {
        let kind = |kind: io::ErrorKind| Failure::from(io::Error::from(kind)).kind();
        assert_eq!(kind(io::ErrorKind::ConnectionRefused), "refused");
        assert_eq!(kind(io::ErrorKind::BrokenPipe), "reset");
        assert_eq!(kind(io::ErrorKind::TimedOut), "timed-out");
        assert_eq!(kind(io::ErrorKind::UnexpectedEof), "ended");
        assert_eq!(kind(io::ErrorKind::AddrNotAvailable), "io");
    }
}
