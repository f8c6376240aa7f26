//! Who publishes: the server half of every lane, and the host process that serves one of them.
//!
//! `loadgen` re-executes itself into [`host::run`] and speaks [`contract`] with it; the binary of
//! this crate serves the same lanes by hand, for curl, a browser or a remote fleet.

pub mod alarm;
pub mod allocations;
pub mod contract;
pub mod drain;
pub mod host;
pub mod http;
pub mod http2;
pub mod hub;
pub mod inject;
pub mod lanes;
pub mod listen;
pub mod publisher;
pub mod session;
pub mod tls;
pub mod upward;
pub mod version;
pub mod websocket;
pub mod window;
pub mod wire;
