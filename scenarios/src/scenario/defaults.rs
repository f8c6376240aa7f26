//! What a field is that a scenario does not write.

use std::time::Duration;

use crate::payload::Payload;
use crate::quantity::{Count, Span};

pub fn block() -> Span {
    Span(Duration::from_millis(600))
}
pub fn heartbeat() -> Span {
    Span(Duration::from_millis(100))
}
pub fn idle_timeout() -> Span {
    Span(Duration::from_secs(1))
}
pub fn gap() -> Span {
    Span(Duration::from_millis(100))
}
pub fn event() -> String {
    "message".into()
}
pub const fn upstream_payload() -> Payload {
    Payload::Chat
}
pub const fn seed() -> u64 {
    1
}
pub const fn mss() -> Count {
    Count(1460)
}
pub fn congestion() -> String {
    "cubic".into()
}
pub const fn buffer() -> Count {
    Count(256 * 1024)
}
pub const fn streams() -> Count {
    Count(100)
}
pub const fn lag() -> Count {
    Count(1024)
}
pub const fn poll() -> Span {
    Span(Duration::from_secs(1))
}
pub const fn hold() -> Span {
    Span(Duration::from_secs(25))
}
