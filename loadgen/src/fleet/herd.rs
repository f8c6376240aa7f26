//! What a fleet does whose clients come back when they lose their streams.

use scenarios::Moment;

use super::Fleet;
use crate::contract::FleetReply;
use crate::outage::{self, Herd};

impl Fleet {
    pub(super) async fn endure(&self) -> FleetReply {
        let Some(endures) = self.order.endures.clone() else {
            return FleetReply::Failed { text: "nothing is to break in this scenario".into() };
        };
        let clients = outage::Clients {
            target: self.target.clone(),
            endures,
            first: self.order.first_client,
            count: self.order.clients,
        };
        match Herd::gather(clients).await {
            Ok(herd) => {
                let (open, failures) = herd.gathered();
                *self.herd.borrow_mut() = Some(herd);
                FleetReply::Connected { open, failures }
            }
            Err(err) => FleetReply::Failed { text: format!("cannot make a timer: {err}") },
        }
    }

    pub(super) fn blackhole(&self) -> FleetReply {
        match &*self.herd.borrow() {
            Some(herd) => herd.blackhole(),
            None => return FleetReply::Failed { text: "nobody is connected".into() },
        }
        FleetReply::Going
    }

    pub(super) async fn settle(&self, end_seq: u64, deadline: Moment) -> FleetReply {
        let herd = self.herd.borrow_mut().take();
        match herd {
            Some(herd) => FleetReply::Endured(Box::new(herd.settle(end_seq, deadline).await)),
            None => FleetReply::Failed { text: "nobody is connected".into() },
        }
    }
}
