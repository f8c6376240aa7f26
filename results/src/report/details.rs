//! Details of the report that are listed rather than judged: sockets, ledgers, stages, environment.

use minijinja::{Value as Slot, context};
use scenarios::{Http2, Lane};

use crate::latency::LatencyHistogram;
use crate::run::{Environment, Ledger, Outage, Run, Sockets, Stages};
use crate::value::{Value, number};

type Column<T, V> = (&'static str, fn(&T) -> V);

const LEDGER: [Column<Ledger, u64>; 8] = [
    ("expected", |ledger| ledger.expected),
    ("delivered", |ledger| ledger.delivered),
    ("lost", |ledger| ledger.lost),
    ("duplicated", |ledger| ledger.duplicated),
    ("reordered", |ledger| ledger.reordered),
    ("corrupted", |ledger| ledger.corrupted),
    ("unexpected", |ledger| ledger.unexpected),
    ("dropped by server", |ledger| ledger.dropped_by_server),
];

const SOCKETS: [Column<Sockets, String>; 9] = [
    ("congestion control", |sockets| sockets.congestion.clone()),
    ("TCP_NODELAY", |sockets| if sockets.nodelay { "on" } else { "off" }.into()),
    ("MSS, bytes", |sockets| number(f64::from(sockets.mss))),
    ("send buffer, bytes", |sockets| number(sockets.send_buffer_bytes as f64)),
    ("receive buffer, bytes", |sockets| number(sockets.receive_buffer_bytes as f64)),
    ("read buffer, bytes", |sockets| number(sockets.read_buffer_bytes as f64)),
    ("backlog", |sockets| number(f64::from(sockets.backlog))),
    ("TLS", |sockets| sockets.tls.clone().unwrap_or_default()),
    ("HTTP/2", |sockets| sockets.http2.map(http2).unwrap_or_default()),
];

const STAGES: [Column<Stages, LatencyHistogram>; 6] = [
    ("late publisher", |stages| stages.publish.clone()),
    ("fan-out queue", |stages| stages.fanout.clone()),
    ("network", |stages| stages.network.clone()),
    ("waiting to be read (generator)", |stages| stages.pickup.clone()),
    ("decoding", |stages| stages.decode.clone()),
    ("published to decoded", |stages| stages.service.clone()),
];

/// How many streams a connection carries and may, and what may be under way to this end.
fn http2(settings: Http2) -> String {
    let bytes = |bytes: u32| number(f64::from(bytes));
    format!(
        "streams {} of {}; windows {} a stream, {} a connection; frames of {}",
        settings.streams,
        settings.max_concurrent_streams,
        bytes(settings.stream_window_bytes),
        bytes(settings.connection_window_bytes),
        bytes(settings.max_frame_bytes)
    )
}

/// Tables of names and cells, and the environment.
pub fn of(run: &Run, lanes: &[Lane]) -> Slot {
    context! {
        ledger => table(LEDGER.map(|column| column.0), ledgers(run).map(|(label, ledger)| {
            (label, LEDGER.map(|(_, field)| number(field(ledger) as f64)).to_vec())
        })),
        sockets => table(SOCKETS.map(|column| column.0), run.sockets.iter().map(|(name, sockets)| {
            (name.clone(), SOCKETS.map(|(_, field)| field(sockets)).to_vec())
        })),
        stages => table(STAGES.map(|column| column.0), lanes.iter().filter(|lane| run.trials_of(**lane).next().is_some()).map(|lane| {
            (lane.to_string(), STAGES.map(|(_, field)| median_us(run, *lane, field)).to_vec())
        })),
        failures => failures(run),
        environment => environment(&run.environment),
        sums => run.trials.iter().filter(|trial| !trial.bodies_agree()).count(),
    }
}

/// The books of every trial and every outage, and what they are of.
fn ledgers(run: &Run) -> impl Iterator<Item = (String, &Ledger)> {
    let trials = run
        .trials
        .iter()
        .map(|trial| (format!("{} repetition {}", trial.lane, trial.repetition + 1), &trial.ledger));
    let outages = run.outages.iter().map(|one| {
        let Outage { lane, fault, policy, hint, window, .. } = one;
        let repetition = one.repetition + 1;
        (
            format!("{lane} {fault}, {policy}, hint {hint}, window {window}, repetition {repetition}"),
            &one.ledger,
        )
    });
    trials.chain(outages)
}

fn table<const N: usize>(
    headings: [&'static str; N],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> Slot {
    let rows: Vec<Slot> = rows.map(|(name, cells)| context! { name, cells }).collect();
    context! { headings => headings.to_vec(), rows }
}

fn median_us(run: &Run, lane: Lane, field: fn(&Stages) -> LatencyHistogram) -> String {
    let mut all = LatencyHistogram::default();
    run.trials_of(lane).for_each(|trial| all.merge(&field(&trial.stages)));
    Value::from(all.quantile(0.5).map(|nanos| nanos as f64 / 1e3)).text()
}

fn failures(run: &Run) -> Vec<String> {
    let of = |trial: &crate::run::Trial| {
        let kinds = trial.failures.iter().filter(|(_, count)| **count > 0);
        let place = format!("{} repetition {}", trial.lane, trial.repetition + 1);
        kinds.map(|(kind, count)| format!("{place}: {count} {kind}")).collect::<Vec<_>>()
    };
    run.trials.iter().flat_map(of).collect()
}

fn environment(environment: &Environment) -> Vec<(String, String)> {
    let cores = |pinned: &[u64]| match pinned {
        [] => "not pinned".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let e = environment;
    let fixed = [
        ("version", e.version.clone()),
        ("commit", e.commit.clone()),
        ("build profile", e.profile.clone()),
        ("kernel", e.kernel.clone()),
        ("CPU", e.cpu.clone()),
        ("cores", e.cores.to_string()),
        ("server on cores", cores(&e.server_cores)),
        ("generator on cores", cores(&e.client_cores)),
        ("memory", format!("{} MiB", number((e.memory_bytes >> 20) as f64))),
        ("clock source", e.clock_source.clone()),
        ("frequency governor", e.governor.clone()),
        ("descriptors per process", number(e.descriptors as f64)),
    ];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
    fixed.chain(e.sysctls.clone()).collect()
}
