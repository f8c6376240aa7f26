//! Every lane over real sockets on loopback, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod breaking;
mod coming_back;
mod draining;
mod endings;
mod h2;
mod lanes;
mod leaving;
mod limits;
mod opening;
mod outage;
mod polls;
mod server;
mod up;
