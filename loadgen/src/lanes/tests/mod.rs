//! The contract of the client lanes.
