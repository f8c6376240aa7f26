//! What is run: scenarios as written, plans as resolved, lanes, schedules and payloads.
//!
//! Pure on purpose (no sockets, no runtime, no clock read except `Moment::now`), so that both
//! ends of a measurement can compute the same schedule and the same bodies from the same seed.

pub mod audience;
pub mod binary;
pub mod budget;
pub mod catalog;
pub mod envelope;
pub mod http2;
pub mod lane;
pub mod moment;
pub mod outage;
pub mod payload;
pub mod plan;
pub mod polls;
pub mod quantity;
pub mod scenario;
pub mod schedule;
pub mod seed;
pub mod session;
pub mod upstream;

pub use audience::{Addressing, Audience};
pub use binary::Binary;
pub use budget::Budget;
pub use envelope::{Envelope, Event, Identity};
pub use http2::Http2;
pub use lane::{Carrier, ClientStack, Coding, Lane, ServerStack, Transport};
pub use moment::Moment;
pub use outage::{Case, Fault, FaultKind, Hint, Outage, Policy};
pub use payload::Payload;
pub use plan::{Plan, Repetition};
pub use polls::{Ask, Polls};
pub use quantity::{Count, Span};
pub use scenario::{Scenario, ScenarioError, SlowPolicy};
pub use schedule::{Arrivals, Block, Schedule};
pub use session::{Session, Told};
pub use upstream::{Senders, Upstream};
