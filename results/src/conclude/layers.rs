//! Why the server of one twin costs more than the other's: by layer, from what was counted.

use scenarios::Lane;

use crate::metric::Metric;
use crate::run::Run;
use crate::stats::Judgement;
use crate::summary::{estimate, judged, lanes};
use crate::value::{number, ratio};

/// The lanes whose servers are twins.
const TWINS: [&str; 2] = ["sse-h1", "ws-h1"];

/// Twins whose CPU differs by no more than this are not explained.
const CLOSE: f64 = 1.10;

/// What is known of the program's part where SSE costs more.
const IN_HTTP: &str = ": an SSE response stays inside the HTTP library, an upgraded WebSocket has left it";

/// What the kernel's part depends on, per event or delivery.
const COUNTED: [(&str, &str); 3] =
    [("server writes", "writes"), ("segments down", "segments"), ("wire bytes down", "bytes on the wire")];

/// How a proven difference of more than a tenth between the twin servers is made up.
pub fn why_servers_differ(run: &Run) -> Option<String> {
    let [sse, ws] = TWINS.map(|name| lanes(run).into_iter().find(|lane| lane.to_string() == name));
    let (sse, ws) = (sse?, ws?);
    let cpu = judged(run, sse, ws).into_iter().find(|(metric, _)| metric.name == "server CPU")?.1?;
    let proven = matches!(cpu.judgement, Judgement::Better | Judgement::Worse);
    if !proven || cpu.log.abs() <= CLOSE.ln() {
        return None;
    }
    let (dear, cheap) = if cpu.log > 0.0 { (sse, ws) } else { (ws, sse) };
    let level = |name: &str, lane: Lane| estimate(run, Metric::named(name)?, lane).value.known();
    let more = |name: &str| Some(level(name, dear)? - level(name, cheap)?);
    let (all, kernel) = (more("server CPU")?, more("server CPU in kernel")?);
    let count = |(name, word): &(&str, &str)| {
        Some(format!("{} against {} {word}", number(level(name, dear)?), number(level(name, cheap)?)))
    };
    let counts: Vec<String> = COUNTED.iter().filter_map(count).collect();
    let (times, counts, program) = (ratio(cpu.log.abs().exp()), counts.join(", "), all - kernel);
    // The kernel's share is read in steps of 10 ms: where it is no part of the whole, it splits nothing.
    let split = match (0.0..=all).contains(&kernel) {
        true => format!(
            "{} us of them in the kernel ({counts}), {} us in the program",
            number(kernel),
            number(program)
        ),
        false => format!("which cannot be told apart by layer here ({counts})"),
    };
    let why = if dear == sse && program > 0.0 && (0.0..=all).contains(&kernel) { IN_HTTP } else { "" };
    Some(format!(
        "Why the servers differ ({times}x): per delivery, {dear} takes {} us of CPU more than {cheap}, {split}{why}.",
        number(all),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// The sample's kernel takes three quarters of all CPU.
    #[test]
    fn a_difference_is_split_by_layer_and_a_small_one_is_not_explained() {
        let mut run = sample::run();
        let why = why_servers_differ(&run).unwrap();
        let more = |name: &str| {
            let of = |lane: Lane| estimate(&run, Metric::named(name).unwrap(), lane).value.known().unwrap();
            of(run.scenario.lanes[0]) - of(run.scenario.lanes[1])
        };
        let parts = [
            format!("sse-h1 takes {} us", number(more("server CPU"))),
            format!("{} us of them in the kernel (1 against 1 writes", number(more("server CPU in kernel"))),
        ];
        parts.iter().for_each(|part| assert!(why.contains(part), "`{part}` is not in: {why}"));
        let ws = run.scenario.lanes[1];
        let costs: Vec<Vec<u64>> =
            run.trials_of(ws).map(|trial| trial.blocks.iter().map(|b| b.server_cpu_ns).collect()).collect();
        let twins = run.trials.iter_mut().filter(|trial| trial.lane.to_string() == "sse-h1");
        for (trial, costs) in twins.zip(costs) {
            trial
                .blocks
                .iter_mut()
                .zip(costs)
                .for_each(|(block, cost)| block.server_cpu_ns = cost * 105 / 100);
        }
        assert_eq!(why_servers_differ(&run), None);
    }
}
