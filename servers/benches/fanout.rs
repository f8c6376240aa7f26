//! What publishing costs: encoding an event for a lane, and handing it to many subscribers.

fn main() {}
