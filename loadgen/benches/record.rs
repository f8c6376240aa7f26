//! What entering one arrival costs: clock, ledger, comparison of the body, histograms.
//!
//! Stated here and not in a timed test: `cargo bench -p loadgen --bench record`.

use std::borrow::Cow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use loadgen::expect::Expected;
use loadgen::recorder::Recorder;
use scenarios::{Arrivals, Block, Event, Moment, Payload, Scenario, Schedule};

const SUBSCRIBERS: usize = 2_000;

fn record(criterion: &mut Criterion) {
    let (_, scenario) = Scenario::load("ticker", &[]).expect("the ticker is sound");
    let start = Moment::now();
    let events = 10_000;
    let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 1_000_000_000, first_seq: 0, events };
    let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
    let expected = || Expected::new(&scenario, &Payload::Ticker, start, &schedule);
    let mut recorder = Recorder::new(expected(), Some(b"quote"), 0..SUBSCRIBERS as u64);
    let bodies: Vec<Vec<u8>> = (0..events).map(|seq| Payload::Ticker.body(scenario.seed, seq)).collect();
    let (mut seq, mut subscriber) = (0, 1);
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one arrival", |bencher| {
        bencher.iter(|| {
            let id = [
                b'0' + (seq / 1_000 % 10) as u8,
                b'0' + (seq / 100 % 10) as u8,
                b'0' + (seq / 10 % 10) as u8,
                b'0' + (seq % 10) as u8,
            ];
            let data = Cow::Borrowed(bodies[seq].as_slice());
            let event = Event { id: Some(&id), name: Some(b"quote"), data };
            recorder.arrive(subscriber, &event, Moment::now());
            subscriber += 1;
            if subscriber == SUBSCRIBERS {
                (subscriber, seq) = (1, seq + 1);
            }
            if seq == bodies.len() {
                seq = 0;
                recorder = Recorder::new(expected(), Some(b"quote"), 0..SUBSCRIBERS as u64);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, record);
criterion_main!(benches);
