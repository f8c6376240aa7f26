//! A server that ends what is open in good order: at once, and as long as it takes, up to a bound.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::hub::Hub;
use crate::wire::Meter;

/// How long clients may take to take what is still to be sent to them, and to answer a goodbye.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What is to end.
#[derive(Debug)]
pub enum Ending {
    /// What is open now; new connections are accepted.
    Open,
    /// That, and first those who accept connections.
    All(Vec<JoinHandle<()>>),
}

/// Ends what is open, and waits until it has ended; the number of connections that had to be cut off after
/// `patience`. A WebSocket whose client does not answer the close frame is left before, and is not counted.
pub async fn drain(hubs: &[Hub], meter: &Meter, ending: Ending, patience: Duration) -> u64 {
    match ending {
        Ending::Open => {
            meter.connections().mark();
            hubs.iter().for_each(Hub::drain);
        }
        Ending::All(accepting) => {
            accepting.iter().for_each(JoinHandle::abort);
            for accepting in accepting {
                // It was told to end, which is an error of its own kind.
                let _ = accepting.await;
            }
            meter.connections().mark();
            hubs.iter().for_each(Hub::leave);
        }
    }
    match tokio::time::timeout(patience, meter.connections().gone()).await {
        Ok(()) => 0,
        Err(_) => meter.connections().reset(true),
    }
}
