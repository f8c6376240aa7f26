//! WebSocket without I/O, for both ends: frames (RFC 6455 5.2), messages, and their compression (RFC
//! 7692). The tuned server speaks it from here, and the lean client of `loadgen` reads with it.

pub mod deflate;
pub mod frame;
pub mod peer;
