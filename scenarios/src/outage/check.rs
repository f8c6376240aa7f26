//! What of an outage is refused before anything starts.

use std::time::Duration;

use super::{Fault, FaultKind, Lasting, Outage, Policy};
use crate::audience::Audience;
use crate::envelope::Identity;
use crate::lane::Lane;
use crate::quantity::Span;
use crate::scenario::Scenario;

impl Outage {
    /// Refuses what cannot be run.
    pub(crate) fn check(&self, scenario: &Scenario) -> Result<(), String> {
        if self.faults.is_empty()
            || self.policies.is_empty()
            || self.hints.is_empty()
            || self.windows.is_empty()
        {
            return Err(
                "`outage` needs at least one of each of `faults`, `policies`, `hints` and `windows`".into()
            );
        }
        if let Some(lane) = scenario.lanes.iter().find(|lane| !Self::fits(**lane)) {
            let able = Lane::all().into_iter().filter(|lane| Self::fits(*lane));
            let able: Vec<String> = able.map(|lane| lane.to_string()).collect();
            return Err(format!(
                "lane `{lane}` has no clients that come back: `outage` needs streams of this project's own servers and clients, a connection each, that are delivered as they are sent; lanes that have them: {}",
                able.join(", ")
            ));
        }
        if let Some(lane) = scenario.lanes.iter().find(|lane| self.cases(**lane).is_empty()) {
            return Err(format!(
                "none of `policies` is one of lane `{lane}`; `native` and `full-jitter` fit every lane"
            ));
        }
        if scenario.identity != Identity::IdEvent
            || scenario.audience != Audience::All
            || scenario.session.is_some()
        {
            return Err("with `outage` everybody hears everything, goes on by its id, and tells gaps from events by their name: write `audience = \"all\"`, `identity = \"id+event\"`, and no `session`".into());
        }
        if scenario.upstream > 0.0
            || scenario.slow > 0.0
            || !scenario.rates.is_empty()
            || !scenario.sizes.is_empty()
        {
            return Err("`outage` goes without `upstream`, `slow`, `rates` and `sizes`".into());
        }
        // A middlebox holds both ends of a connection, and a server the dead one beside the new one.
        let doubles = |fault: &Fault| matches!(fault.kind, FaultKind::Idle | FaultKind::Blackhole);
        let (most, each) = if self.faults.iter().any(doubles) { (9_500, "two") } else { (18_000, "one") };
        if scenario.subscribers.0 > most {
            return Err(format!(
                "`subscribers` is {}; with these faults of `outage` one process holds {each} of 20,000 descriptors for each of them: at most {most}",
                scenario.subscribers.0
            ));
        }
        if !(0.001..=10.0).contains(&self.retry_scale) {
            return Err(format!("`retry_scale` is {}; allowed is 0.001 to 10", self.retry_scale));
        }
        self.windows.iter().try_for_each(|window| match window.0 <= 1 << 20 {
            true => Ok(()),
            false => Err(format!("`windows` has {}; allowed is 0 to {}", window.0, 1 << 20)),
        })?;
        let silent = self.heartbeat.0.is_zero() || self.silence.0 < 2 * self.heartbeat.0;
        if !self.silence.0.is_zero() && silent {
            return Err(format!(
                "`silence` is {}, and a `heartbeat` comes every {}; it must be at least twice as long, and there must be heartbeats",
                self.silence, self.heartbeat
            ));
        }
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let bounds = [
            ("heartbeat", self.heartbeat, Duration::from_millis(10), minutes(10)),
            ("silence", self.silence, Duration::from_millis(20), minutes(30)),
            ("max_age", self.max_age, Duration::from_millis(100), minutes(60)),
            ("settle", self.settle, Duration::from_millis(100), minutes(30)),
        ];
        let is_outside = |span: Span, least, most| !(least..=most).contains(&span.0);
        for (name, span, least, most) in bounds {
            if is_outside(span, least, most) && (name == "settle" || !span.0.is_zero()) {
                let (least, most) = (Span(least), Span(most));
                return Err(format!("`{name}` is {span}; allowed is {least} to {most}"));
            }
        }
        self.faults.iter().try_for_each(|fault| self.check_fault(*fault, scenario))
    }

    fn check_fault(&self, fault: Fault, scenario: &Scenario) -> Result<(), String> {
        let Fault { kind, at, within, down, every } = fault;
        let (word, has_down) = (kind.word(), !down.0.is_zero());
        match (kind.lasting(), has_down) {
            (Lasting::Must, false) => return Err(format!("fault `{word}` needs `down`: how long it lasts")),
            (Lasting::No, true) => return Err(format!("fault `{word}` is over at once; leave out `down`")),
            (Lasting::No | Lasting::May | Lasting::Must, _) => {}
        }
        let is_churn = kind == FaultKind::Churn;
        if is_churn != (every.0 >= Duration::from_millis(50)) {
            return Err(match is_churn {
                true => {
                    "fault `churn` needs `every`, how long a client stays on average, of at least 50ms".into()
                }
                false => format!("fault `{word}` comes once; leave out `every`"),
            });
        }
        if is_churn && !within.0.is_zero() {
            return Err("fault `churn` begins at `at` for all; leave out `within`".into());
        }
        if is_churn && self.policies.contains(&Policy::None) {
            return Err("with fault `churn` clients come back; leave out policy `none`".into());
        }
        let times = if kind == FaultKind::Rolling { 3 } else { 1 };
        let ends = at.0 + within.0 + if is_churn { Duration::ZERO } else { down.0 * times };
        if ends >= scenario.duration.0 {
            return Err(format!(
                "fault `{word}` may end {} after time zero, and events end at `duration` {}; lengthen that",
                Span(ends),
                scenario.duration
            ));
        }
        if kind == FaultKind::Blackhole && self.silence.0.is_zero() {
            return Err(
                "nobody notices a `blackhole` without heartbeats; set `heartbeat` and `silence`".into()
            );
        }
        match kind == FaultKind::Idle && down.0 <= scenario.idle_timeout.0 {
            true => Err(format!(
                "fault `idle` needs a `down` above `idle_timeout`, which is {}",
                scenario.idle_timeout
            )),
            false => Ok(()),
        }
    }
}
