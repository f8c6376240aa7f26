//! Flow control (RFC 9113 5.2 and 6.9): what the peer may send to us, and what we may send to it.
//!
//! Our policy is stated here, because it is counted as `up`: once half of a window has been taken, the
//! peer gets all of that back, a stream and the connection each for itself.

use scenarios::http2::MAX_WINDOW;

/// What the peer may send to us.
#[derive(Clone, Copy, Debug)]
pub struct Receiving {
    size: u32,
    left: u32,
    taken: u32,
}

impl Receiving {
    /// A window that is open to its size.
    #[must_use]
    pub const fn new(size: u32) -> Self {
        Self { size, left: size, taken: 0 }
    }

    /// The peer sends so many bytes; false if it may not.
    pub fn receive(&mut self, bytes: u32) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// So many of them have been taken; the increment to send, if it is time for one.
    pub fn take(&mut self, bytes: u32) -> Option<u32> {
        self.taken += bytes;
        (self.taken > self.size / 2).then(|| {
            self.left += self.taken;
            std::mem::take(&mut self.taken)
        })
    }
}

/// What we may send to the peer: it can fall below zero when the peer changes its settings (RFC 9113
/// 6.9.2).
#[derive(Clone, Copy, Debug)]
pub struct Sending(i64);

impl Sending {
    /// A window of this size.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Self(i64::from(size))
    }

    /// How much may be sent now.
    #[must_use]
    pub fn room(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// The peer lets us send so many bytes more, or fewer; false above what a window may be.
    pub fn change(&mut self, bytes: i64) -> bool {
        self.0 += bytes;
        self.0 <= i64::from(MAX_WINDOW)
    }

    /// Sends so many bytes; false if they may not be sent now.
    pub fn send(&mut self, bytes: usize) -> bool {
        let left = i64::try_from(bytes).map_or(-1, |bytes| self.0 - bytes);
        if left >= 0 {
            self.0 = left;
        }
        left >= 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9113 6.9.1: "A receiver MAY respond with a stream error or connection error of type
    /// FLOW_CONTROL_ERROR if it is unable to accept a frame"; 6.9: a receiver "sends WINDOW_UPDATE frames
    /// as it consumes data and frees up space in flow-control windows".
    #[test]
    fn half_a_window_is_given_back_at_once_and_no_more_is_taken_than_there_is() {
        let mut window = Receiving::new(100);
        assert!(window.receive(50));
        assert_eq!(window.take(50), None);
        assert!(!window.receive(51) && window.receive(50));
        assert_eq!(window.take(1), Some(51));
        assert!(!window.receive(52) && window.receive(51));
        assert_eq!(window.take(51), Some(51));
    }

    /// RFC 9113 6.9.1: "A sender MUST NOT allow a flow-control window to exceed 2^31-1 octets."
    #[test]
    fn a_window_of_ours_may_not_grow_beyond_31_bits() {
        let mut window = Sending::new(65_535);
        assert!(window.change(-100_000) && window.change(i64::from(MAX_WINDOW)));
        assert!(!window.change(65_536));
        assert_eq!(Sending::new(7).room(), 7);
    }

    /// RFC 9113 6.9.2: "A change to SETTINGS_INITIAL_WINDOW_SIZE can cause the available space in a
    /// flow-control window to become negative [...] A sender MUST track the negative flow-control window and
    /// MUST NOT send new flow-controlled frames until it receives WINDOW_UPDATE frames that cause the
    /// flow-control window to become positive."
    #[test]
    fn below_zero_there_is_no_room() {
        let mut window = Sending::new(10);
        assert!(window.change(-15));
        assert_eq!(window.room(), 0);
        assert!(window.change(6));
        assert_eq!(window.room(), 1);
    }

    /// RFC 9113 6.9.1: "The sender MUST NOT send a flow-controlled frame with a length that exceeds the space
    /// available in either of the flow-control windows".
    #[test]
    fn no_more_is_sent_than_the_peer_lets_us() {
        let mut window = Sending::new(100);
        assert!(window.send(60) && !window.send(41) && window.send(40) && !window.send(1));
        assert!(window.change(1) && window.send(1));
    }
}
