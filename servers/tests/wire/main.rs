//! Every lane over real sockets on loopback, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod endings;
mod h2;
mod lanes;
mod leaving;
mod limits;
mod polls;
mod server;
mod up;
