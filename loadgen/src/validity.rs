//! Whether to believe a measurement: every doubt as a value, saved with the run.
//!
//! A saturated generator, a stalled publisher or an account that does not close makes the run
//! invalid (exit code 97); smaller doubts stand beside the numbers (METHOD M3, M6, M7, M20).

use results::LatencyHistogram;
use results::metric::instants;
use results::run::{Heartbeats, Run, STRESS, Severity, Trial, Warning};
use scenarios::{ClientStack, Lane, Moment};
use servers::lanes::heartbeat;

/// Share of the reported p99 above which a lag is doubtful, and above which it is invalid.
const LAG_DOUBT: f64 = 0.10;
const LAG_INVALID: f64 = 0.30;

/// Share of a core above which the generator is saturated.
const SATURATED: f64 = 0.95;

/// The doubts about one trial.
#[must_use]
pub fn judge(trial: &Trial) -> Vec<Warning> {
    let mut found = Findings { trial, warnings: Vec::new() };
    found.account();
    found.messages();
    found.bytes();
    found.heartbeats();
    found.warnings
}

/// The doubts about a run as a whole: load, lags against the reported quantiles, and bodies that
/// differ between lanes.
#[must_use]
pub fn across(run: &Run) -> Vec<Warning> {
    let of_lane = |lane: &Lane| {
        let trials: Vec<&Trial> = run.trials_of(*lane).collect();
        [load(*lane, &trials), lags(*lane, &trials)].concat()
    };
    run.scenario.lanes.iter().flat_map(of_lane).chain(bodies(run)).collect()
}

/// The largest share of a core that either side used while publishing, of all repetitions, and
/// whether what it used was read too early.
fn load(lane: Lane, trials: &[&Trial]) -> Vec<Warning> {
    let most = |side: usize| trials.iter().map(|trial| trial.load()[side]).fold(0.0, f64::max);
    let (server, client) = (most(0), most(1));
    let percent = |share: f64| format!("used {:.0} % of a core while publishing", share * 100.0);
    let blocks = || trials.iter().flat_map(|trial| &trial.blocks);
    let undrained = blocks().filter(|block| block.undrained).count();
    let hides_lag = lane.client != ClientStack::Lean && !trials.is_empty();
    let held_back = lane.holds_back() && !trials.is_empty();
    let rules = [
        (held_back, Severity::Note, "this lane shows a fault: compressed without flushes, events leave only when the compressor's buffer is full; what had not left 2 s after the last block counts as lost".to_owned()),
        (client > SATURATED, Severity::Invalid, format!("the generator is saturated: it {}; lower `rate` or `subscribers`", percent(client))),
        (client > STRESS, Severity::Doubt, format!("stress: the generator {} (above 60 %), no equivalence is claimed", percent(client))),
        (server > STRESS, Severity::Doubt, format!("stress: the server {} (above 60 %), no equivalence is claimed", percent(server))),
        (undrained > 0 && !held_back, Severity::Doubt, format!("{undrained} of {} blocks had not drained when their gap ended, their CPU is left out; lower `rate` or `subscribers`, or lengthen `gap`", blocks().count())),
        (hides_lag, Severity::Note, "this client hides when the kernel received: the generator's own lag is part of its latency, unseen".to_owned()),
    ];
    let told = rules.into_iter().filter(|rule| rule.0);
    told.map(|(_, severity, text)| Warning { severity, lane: Some(lane), repetition: None, text }).collect()
}

fn bodies(run: &Run) -> impl Iterator<Item = Warning> {
    let differing = run.trials.iter().filter(|one| {
        let twin = |other: &&Trial| {
            other.repetition == one.repetition
                && events(&[*other]) == events(&[*one])
                && other.lane != one.lane
        };
        run.trials.iter().filter(twin).any(|other| other.published_sha256 != one.published_sha256)
    });
    differing.map(|trial| Warning {
        severity: Severity::Invalid,
        lane: Some(trial.lane),
        repetition: Some(trial.repetition),
        text: "its bodies differ from another lane's: the lanes cannot be compared".into(),
    })
}

fn events(trials: &[&Trial]) -> u64 {
    trials.iter().flat_map(|trial| &trial.blocks).map(|block| block.events).sum()
}

fn pooled(trials: &[&Trial], of: fn(&Trial) -> &LatencyHistogram) -> LatencyHistogram {
    let mut all = LatencyHistogram::default();
    trials.iter().for_each(|trial| all.merge(of(trial)));
    all
}

/// The publisher's and the generator's own lag against the latency, at the largest quantile that
/// is reported for so many events (METHOD M18), over all repetitions.
fn lags(lane: Lane, trials: &[&Trial]) -> Vec<Warning> {
    let down = [
        (pooled(trials, |trial| &trial.publish_lag), "server stalled: the publisher was late"),
        (pooled(trials, |trial| &trial.stages.pickup), "generator limited: the generator read late"),
    ];
    let up = [(pooled(trials, |trial| &trial.upward.lag), "generator limited: the generator sent late")];
    let round_trip = pooled(trials, |trial| &trial.upward.round_trip);
    let messages = round_trip.count();
    let latency = pooled(trials, |trial| &trial.latency);
    let mut found = shares(lane, instants(trials.iter().copied()), &latency, "latency", down);
    found.extend(shares(lane, messages, &round_trip, "round trip", up));
    found
}

/// The lags that are more than their share of a latency, where it is reported for so many events.
fn shares<const N: usize>(
    lane: Lane,
    units: u64,
    latency: &LatencyHistogram,
    name: &str,
    lags: [(LatencyHistogram, &str); N],
) -> Vec<Warning> {
    let reported = [(0.99, 1_000), (0.9, 100), (0.5, 20)].into_iter().find(|(_, least)| units >= *least);
    let Some((q, _)) = reported.filter(|_| !latency.held().is_empty()) else { return Vec::new() };
    // Among lost events there is no latency to compare with: then that of the delivered ones stands in.
    let latency = latency.quantile(q).unwrap_or_else(|| latency.held().value_at_quantile(q));
    let judged = lags.into_iter().filter_map(|(lag, what)| {
        let lag = lag.quantile(q)?;
        let share = ratio(lag, latency);
        let severity = if share > LAG_INVALID { Severity::Invalid } else { Severity::Doubt };
        (share > LAG_DOUBT).then(|| Warning {
            severity,
            lane: Some(lane),
            repetition: None,
            text: format!(
                "{what} by {:.2} ms at p{:.0}, {:.0} % of the {name}'s {:.2} ms; lower the load or give it more cores",
                millis(lag),
                q * 100.0,
                share * 100.0,
                millis(latency)
            ),
        })
    });
    judged.collect()
}

struct Findings<'a> {
    trial: &'a Trial,
    warnings: Vec<Warning>,
}

impl Findings<'_> {
    fn add(&mut self, severity: Severity, text: String) {
        let (lane, repetition) = (Some(self.trial.lane), Some(self.trial.repetition));
        self.warnings.push(Warning { severity, lane, repetition, text });
    }

    fn account(&mut self) {
        let ledger = self.trial.ledger;
        if !ledger.closes() {
            self.add(Severity::Invalid, format!("the ledger does not close: {ledger:?}"));
        }
        if ledger.corrupted > 0 {
            self.add(Severity::Invalid, format!("{} deliveries arrived corrupted", ledger.corrupted));
        }
        let slow = self.trial.slow.as_ref().map(|slow| slow.ledger);
        if slow.is_some() && ledger.lost != ledger.dropped_by_server {
            self.add(
                Severity::Invalid,
                format!(
                    "{} deliveries were lost, the server dropped {}",
                    ledger.lost, ledger.dropped_by_server
                ),
            );
        }
        let lost = ledger.lost - slow.map_or(0, |slow| slow.lost);
        let held_back = if self.trial.lane.holds_back() { lost } else { 0 };
        for (count, what) in [
            (held_back, "deliveries were held back until it was too late"),
            (lost - held_back, "deliveries were lost; lower the rate or the number of subscribers"),
            (ledger.duplicated, "deliveries came twice"),
            (ledger.reordered, "deliveries came out of order"),
            (self.trial.latency.saturated(), "latencies were above the histogram's bound"),
        ] {
            if count > 0 {
                self.add(Severity::Doubt, format!("{count} {what}"));
            }
        }
        if !self.trial.bodies_agree() && ledger.lost == 0 {
            self.add(Severity::Invalid, "the bodies received are not the bodies published".into());
        }
        let disconnected = self.trial.slow.as_ref().map_or(0, |slow| slow.disconnected);
        if disconnected > 0 {
            self.add(
                Severity::Note,
                format!(
                    "the server ended {disconnected} slow readers, whose bytes the kernel no longer tells"
                ),
            );
        }
        let mut ended = disconnected;
        if let Some(leaked) =
            self.trial.session.as_ref().map(|session| session.leaked).filter(|leaked| *leaked > 0)
        {
            self.add(
                Severity::Doubt,
                format!("the server still held {leaked} streams 5 s after their clients had gone"),
            );
        }
        for (kind, count) in self.trial.failures.clone() {
            let others = count.saturating_sub(ended);
            ended = ended.saturating_sub(count);
            if others > 0 {
                self.add(Severity::Doubt, format!("{others} connections failed: {kind}"));
            }
        }
    }

    /// Every connection took every heartbeat, and nothing else: those of a compressed stream cannot be told
    /// apart in it.
    fn heartbeats(&mut self) {
        let Some(Heartbeats { sent, bytes, kernel, .. }) = self.trial.heartbeats else { return };
        let lane = self.trial.lane;
        let expected = sent * heartbeat(lane).len() as u64;
        if !lane.coding.is_gzip() && bytes.control != expected {
            self.add(
                Severity::Invalid,
                format!("{sent} heartbeats are {expected} bytes, the clients took {}", bytes.control),
            );
        }
        if [bytes.down(), kernel.server_sent_bytes] != [kernel.down_bytes; 2] || bytes.up != kernel.up_bytes {
            self.add(Severity::Invalid, format!("bytes of heartbeats do not add up: {bytes:?}, {kernel:?}"));
        }
    }

    /// Messages upward: every one is explained, and what the generator itself delayed is told.
    fn messages(&mut self) {
        let ledger = self.trial.upward.ledger;
        if !ledger.closes() {
            self.add(Severity::Invalid, format!("the ledger of messages upward does not close: {ledger:?}"));
        }
        for (count, severity, what) in [
            (ledger.corrupted, Severity::Invalid, "echoes arrived corrupted"),
            (ledger.unsent, Severity::Doubt, "messages could not be sent in time; lower `upstream`"),
            (ledger.lost, Severity::Doubt, "messages or their echoes were lost"),
            (ledger.duplicated, Severity::Doubt, "messages or their echoes came twice"),
            (ledger.reordered, Severity::Doubt, "messages or their echoes came out of order"),
        ] {
            if count > 0 {
                self.add(severity, format!("{count} {what}"));
            }
        }
        let kernel = self.trial.kernel.map(|kernel| kernel.up_bytes);
        let counted = self.trial.bytes.up;
        if let Some(kernel) = kernel.filter(|kernel| ledger.expected > 0 && *kernel != counted) {
            let text = format!("bytes upward do not add up: written {counted}, the kernel sent {kernel}");
            self.add(Severity::Invalid, text);
        }
    }

    /// METHOD M9: what the decoder counted equals what the kernel counted, to the byte.
    fn bytes(&mut self) {
        let trial = self.trial;
        let Some(kernel) = trial.kernel else { return };
        let decoded = match &trial.session {
            None => trial.bytes.down(),
            // Connections are counted from their first byte to their last, read or not.
            Some(session) => trial.bytes.received() + session.unread_bytes,
        };
        if decoded != 0 && decoded != kernel.down_bytes {
            self.add(
                Severity::Invalid,
                format!(
                    "bytes do not add up: decoded {}, the kernel received {}",
                    decoded, kernel.down_bytes
                ),
            );
        }
        if trial.session.is_none() && kernel.server_sent_bytes != kernel.down_bytes {
            self.add(
                Severity::Doubt,
                format!(
                    "the servers sent {} bytes, the clients received {}",
                    kernel.server_sent_bytes, kernel.down_bytes
                ),
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run stay below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn millis(nanos: u64) -> f64 {
    Moment::from_nanos(nanos).since(Moment::default()).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests;
