//! Whether to believe a session. The servers are what is judged, so a late publisher is no excuse here: it shows in the
//! latency. Invalid is what the generator or the machine spoilt.

use results::LatencyHistogram;
use results::duet::Session;
use results::run::{STRESS, Trial};

/// Share of a core above which a side is saturated, and measured no more.
const SATURATED: f64 = 0.95;

/// Share of the mean latency above which the generator's own lag is worth a note, and above which it is invalid: both sides
/// wait for the same generator, so it makes a ratio smaller and no side worse, until most of what is compared is its own.
const LAG: [f64; 2] = [0.10, 0.50];

/// Writes the doubts about a session into it; `trials` are its stretches by side of each lane, A and B in turn.
pub fn judge(session: &mut Session, trials: &[Vec<Trial>]) {
    for (index, stretches) in trials.iter().enumerate() {
        let lane = session.lanes[index / 2].lane;
        let side = format!("{lane}, {}", ["A", "B"][index % 2]);
        for (is_invalid, text) in doubts(stretches) {
            let list = if is_invalid { &mut session.invalid } else { &mut session.notes };
            list.push(format!("{side}: {text}"));
        }
    }
    for (part, sides) in session.lanes.iter().zip(trials.chunks(2)) {
        let bodies =
            |side: &Vec<Trial>| side.iter().map(|one| one.published_sha256.clone()).collect::<Vec<_>>();
        if bodies(&sides[0]) != bodies(&sides[1]) && sides[0].len() == sides[1].len() {
            let text = "A and B published different bodies: one of them makes other payloads, they cannot be compared";
            session.invalid.push(format!("{}: {text}", part.lane));
        }
    }
}

/// The doubts about one side, and whether they make it invalid.
fn doubts(stretches: &[Trial]) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for trial in stretches {
        if !trial.ledger.closes() {
            found.push((true, format!("the ledger does not close: {:?}", trial.ledger)));
        }
        let decoded = trial.bytes.down();
        if let Some(kernel) = trial.kernel.filter(|kernel| decoded != 0 && kernel.down_bytes != decoded) {
            let text =
                format!("bytes do not add up: decoded {decoded}, the kernel received {}", kernel.down_bytes);
            found.push((true, text));
        }
        for (kind, count) in &trial.failures {
            found.push((false, format!("{count} connections failed: {kind}")));
        }
    }
    let loads: Vec<[f64; 2]> = stretches.iter().map(Trial::load).collect();
    for (index, name) in ["server", "generator"].into_iter().enumerate() {
        let most = loads.iter().map(|load| load[index]).fold(0.0, f64::max);
        let said = format!("the {name} used {:.0} % of a core while publishing", most * 100.0);
        if most > SATURATED {
            found.push((true, format!("{said}, it is saturated; lower `rate` or `subscribers`")));
        } else if most > STRESS {
            found.push((false, format!("{said}: this is no low load")));
        }
    }
    found.extend(lag(stretches));
    let undrained = stretches.iter().flat_map(|trial| &trial.blocks).filter(|block| block.undrained).count();
    if undrained > 0 {
        found.push((
            false,
            format!("{undrained} blocks had not drained when their gap ended, their pairs have no CPU"),
        ));
    }
    found
}

/// How long events waited for the generator to read them, against the latency that is judged: both as means.
fn lag(stretches: &[Trial]) -> Option<(bool, String)> {
    let mean = |of: fn(&Trial) -> &LatencyHistogram| {
        let mut all = LatencyHistogram::default();
        stretches.iter().for_each(|trial| all.merge(of(trial)));
        all.held().mean()
    };
    let (pickup, latency) = (mean(|trial| &trial.stages.pickup), mean(|trial| &trial.latency));
    let share = pickup / latency;
    (share > LAG[0]).then(|| {
        let text = format!("the generator read late, {:.0} % of the mean latency is its own", share * 100.0);
        (share > LAG[1], text)
    })
}
