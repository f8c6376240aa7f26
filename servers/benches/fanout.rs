//! What an event costs before it reaches a socket: framing it for a lane, and handing it to
//! subscribers.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use scenarios::{Lane, Scenario};
use servers::hub::{Hub, Subscription};
use servers::lanes::frame;

fn frame_an_event(criterion: &mut Criterion) {
    let (_, scenario) = Scenario::load("ticker", &[]).expect("an embedded scenario");
    let body = scenario.payload.body(scenario.seed, 12_345);
    let mut group = criterion.benchmark_group("frame");
    for lane in ["raw", "sse-h1", "ws-h1", "sse-h1%axum", "ws-h1%axum"] {
        let lane: Lane = lane.parse().expect("a lane of ours");
        group.bench_function(lane.to_string(), |bencher| {
            bencher.iter(|| frame(lane, &scenario, black_box(12_345), black_box(&body)));
        });
    }
    let fields = [("payload", "binary:3000"), ("binary", "base64")];
    let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let (_, scenario) = Scenario::load("ticker", &fields).expect("an embedded scenario");
    let body = scenario.payload.body(scenario.seed, 12_345);
    for lane in ["sse-h1", "ws-h1"] {
        let lane: Lane = lane.parse().expect("a lane of ours");
        group.bench_function(format!("{lane}/binary-3k"), |bencher| {
            bencher.iter(|| frame(lane, &scenario, black_box(12_345), black_box(&body)));
        });
    }
}

/// One event published and received by every subscriber, without sockets.
fn fan_out(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("fan-out");
    for subscribers in [1_u64, 100, 2_000] {
        let hub = Hub::new(1024);
        let mut subscriptions: Vec<Subscription> =
            (0..subscribers).map(|_| hub.subscribe().expect("an open hub")).collect();
        group.throughput(Throughput::Elements(subscribers));
        group.bench_with_input(BenchmarkId::from_parameter(subscribers), &subscribers, |bencher, _| {
            bencher.iter(|| {
                hub.publish(0, Bytes::from_static(b"event"));
                runtime.block_on(async {
                    for subscription in &mut subscriptions {
                        black_box(subscription.next().await);
                    }
                });
            });
        });
    }
}

criterion_group!(benches, frame_an_event, fan_out);
criterion_main!(benches);
