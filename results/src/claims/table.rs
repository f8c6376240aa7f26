//! The claims, one row each: as people say it, the proposition that can be measured, its experiment,
//! the deciding metrics, the charts that show it, what a verdict leaves open, and who judges.
//!
//! Metrics and charts are named as in their own tables. A claim without an experiment yet says which
//! one it needs.

use super::Claim;
use super::endings::endings;
use super::judges::{
    built_in, bytes_as_text, heartbeats, not_yet, opening, overhead, polling, resources, six_streams, sooner,
};
use super::reconnecting::{by_hand, hints, resumes};
use super::two_way::{suited, upward};

/// All claims, by number.
pub static ALL: &[Claim] = &[
    Claim {
        number: 1,
        said: "WebSocket is full duplex; SSE needs another channel upward.",
        proposition: "A message from client to server costs more by a POST beside SSE than by a WebSocket frame, in \
                      bytes, CPU and time.",
        experiment: "upstream on sse-h1 and ws-h1; with sse-h2 and TLS beside them",
        metrics: &["message bytes", "message server CPU", "message client CPU", "round trip mean"],
        charts: &["upstream", "round-trips", "cpu"],
        limits: "One request at a time on a second, kept-alive connection, with the shortest heads; a browser's are longer. \
                 Loopback has no distance: over a network a message that waits for an answer waits a round trip. CPU \
                 holds the echo and the few events beside it. Opening and holding the second connection is not part of it.",
        judge: upward,
    },
    Claim {
        number: 2,
        said: "WebSocket needs an upgrade handshake; SSE is plain HTTP.",
        proposition: "Opening a WebSocket costs more than opening an SSE stream, in bytes, in time and in CPU of \
                      either side.",
        experiment: "connect on sse-h1 and ws-h1; inside TLS and over HTTP/2, where neither upgrades, on the same pairs with +tls \
                     and -h2",
        metrics: &[
            "handshake down",
            "handshake up",
            "connect p50",
            "connect p99",
            "connect server CPU",
            "connect client CPU",
        ],
        charts: &["opening", "joining"],
        limits: "Clients of this project send few headers; a browser adds its own to either. Over loopback a \
                 round trip costs almost nothing, so the time is that of both ends while all subscribers arrive.",
        judge: opening,
    },
    Claim {
        number: 3,
        said: "WebSocket has very low latency; SSE suits what is not so real-time.",
        proposition: "A push arrives sooner over WebSocket than over SSE, at the same load.",
        experiment: "ticker on sse-h1 and ws-h1",
        metrics: &["latency mean", "latency p50", "latency p99"],
        charts: &["latency-percentiles"],
        limits: "This is the time of a fan-out to all subscribers on warm connections. Whether the difference \
                 matters, and whether SSE is real-time enough, only the application can say.",
        judge: sooner,
    },
    Claim {
        number: 4,
        said: "Every SSE push still carries HTTP headers; WebSocket has almost no overhead after the handshake.",
        proposition: "An event over SSE repeats HTTP headers and costs more bytes than over WebSocket.",
        experiment: "ticker, with its sweep of payload sizes, on sse-h1 and ws-h1",
        metrics: &["wire bytes down", "event framing", "transport framing"],
        charts: &["bytes", "break-even"],
        limits: "HTTP/1.1 without compression, one event a write, at the identity of this scenario.",
        judge: overhead,
    },
    Claim {
        number: 5,
        said: "SSE is more efficient than traditional polling, because the connection is reused.",
        proposition: "At this run's event rate, an event over SSE costs fewer bytes and less CPU than over traditional or \
                      long polling, and arrives sooner.",
        experiment: "polling on sse-h1, poll-h1 and longpoll-h1; with sse-h2, poll-h2 and longpoll-h2 beside them",
        metrics: &["wire bytes down", "wire bytes up", "server CPU", "client CPU", "latency mean"],
        charts: &["polling"],
        limits: "Polls reuse their connection too, and send three header fields where a browser sends ten or more. Bytes at \
                 other rates are computed, CPU and staleness are those of this rate and interval. A block is polled once \
                 more than it has intervals.",
        judge: polling,
    },
    Claim {
        number: 6,
        said: "SSE carries only UTF-8 text; WebSocket carries binary too.",
        proposition: "Bytes that are no text cost more over SSE, as base64, than in WebSocket's binary frames: on \
                      the wire, in CPU of either side and in time.",
        experiment: "video on sse-h1 and ws-h1; with +gzip and +deflate beside them for what compression changes",
        metrics: &["wire bytes down", "server CPU", "client CPU", "latency mean"],
        charts: &["bytes", "cpu", "break-even"],
        limits: "At the size and rate of this scenario, encoded once an event and shared. Base64 is the usual \
                 encoding, not the only one; JSON with numbers costs more, a denser alphabet less.",
        judge: bytes_as_text,
    },
    Claim {
        number: 7,
        said: "SSE has ids, retry and types built in; WebSocket needs a home-made envelope.",
        proposition: "The same id and event name cost more bytes in a WebSocket envelope than in SSE's own fields.",
        experiment: "any scenario with identity `id` or `id+event` on sse-h1 and ws-h1",
        metrics: &["event framing"],
        charts: &["bytes"],
        limits: "SSE's framing counts its `data:` field and blank line, which it needs without identity too. \
                 Another envelope weighs otherwise (`--set envelope=json`); `retry`, and the work of agreeing \
                 on an envelope, are not measured.",
        judge: built_in,
    },
    Claim {
        number: 8,
        said: "WebSocket needs heartbeats; SSE does not.",
        proposition: "Where a middlebox cuts idle connections, a WebSocket lives only with heartbeats, and an SSE stream \
                      lives without.",
        experiment: "heartbeats on sse-h1 and ws-h1",
        metrics: &[
            "heartbeat wire down",
            "heartbeat wire up",
            "heartbeat server CPU",
            "heartbeat client CPU",
        ],
        charts: &["heartbeats"],
        limits: "The verdict rests on what the middlebox, a relay of our own with a time-out scaled down, did to idle \
                 connections; the metrics are what heartbeats cost. That a client notices a half-dead connection is another \
                 use of them, and that EventSource comes back by itself after a cut is another claim.",
        judge: heartbeats,
    },
    Claim {
        number: 9,
        said: "WebSocket suits frequent two-way traffic (chat, games, collaboration, media); SSE suits updates \
               driven by the server (tickers, news, logs).",
        proposition: "In this workload the transport that the saying names is the one that costs less and \
                      delivers sooner.",
        experiment: "the workloads that it names, each a run of its own, on sse-h1 and ws-h1: ticker, news, logs, interval, \
                     notifications, by these metrics; chat, game, collab, by latency mean, round trip mean, server CPU, client \
                     CPU and message bytes",
        metrics: &["latency mean", "server CPU", "client CPU", "server memory", "wire bytes down"],
        charts: &["latency-percentiles", "cpu", "memory", "bytes"],
        limits: "One workload, judged by what it costs to push, and, where it goes both ways, to send. Media that clients send \
                 is not measured. Code to write, reconnecting and proxies, which \
                 the saying may also mean, are other claims.",
        judge: suited,
    },
    Claim {
        number: 10,
        said: "SSE needs no special configuration and holds fewer resources.",
        proposition: "An SSE server holds less memory and uses less CPU than a WebSocket server.",
        experiment: "ticker on sse-h1, ws-h1, sse-h1%axum and ws-h1%axum",
        metrics: &["server memory", "server CPU"],
        charts: &["memory", "cpu"],
        limits: "Memory per idle connection and CPU per delivery, of these server libraries. What proxies and \
                 load balancers must be told is not measured.",
        judge: resources,
    },
    Claim {
        number: 11,
        said: "A page with EventSource is limited to six connections per origin on HTTP/1.1, not on HTTP/2.",
        proposition: "Of ten tabs that each open an event stream to one origin, six get it over HTTP/1.1 and all over HTTP/2.",
        experiment: "tabs on sse-h1 and sse-h2+mux",
        metrics: &[],
        charts: &["tabs"],
        limits: "This project's own client, held to the rule that Chromium and Firefox apply; browsers themselves are not \
                 measured here. The tabs beyond the limit wait until one of the others is closed, and so does any other \
                 request to that origin.",
        judge: six_streams,
    },
    Claim {
        number: 12,
        said: "complete() ends a WebSocket; an EventSource reconnects and starts again unless told not to.",
        proposition: "When the server completes a stream, a WebSocket client sees that and stops; an EventSource comes back \
                      and is served the same events again, and does not when a 204 or an agreed last event tells it.",
        experiment: "finite on sse-h1 and ws-h1",
        metrics: &[],
        charts: &["endings"],
        limits: "Clients of this project, held to the standard's rule, with a reconnection time that is scaled down; the \
                 server knows nothing of Last-Event-ID but for the 204. A server that knows it would continue instead, and \
                 a WebSocket application that reconnects by itself would come back too.",
        judge: endings,
    },
    Claim {
        number: 13,
        said: "The SSE client reconnects and resumes by itself (Last-Event-ID).",
        proposition: "After the end of a body, a reset and a restart an EventSource comes back by itself and goes on behind \
                      the last event it got: nothing lost, nothing twice, as far as the server's window reaches.",
        experiment: "reconnect on sse-h1 by its native policy: the faults drain, reset and kill, and unavailable or no-content for \
                     a status that ends it",
        metrics: &[],
        charts: &["survival", "recovery-parts"],
        limits: "Clients of this project, held to the standard's rule with Chromium's constants; no browser took part. The \
                 server has to keep events and to understand Last-Event-ID. A connection that dies without a word is noticed \
                 by no EventSource: faults of that kind are in the tables and judge nothing here.",
        judge: resumes,
    },
    Claim {
        number: 14,
        said: "With WebSocket the application must reconnect and resume by hand.",
        proposition: "What an EventSource does by itself costs a WebSocket client more by hand: under the same policy it is \
                      without events for longer, and its handshake weighs more.",
        experiment: "reconnect on sse-h1 and ws-h1, by a policy that both can have (full-jitter), in four repetitions or more; by \
                     the native one too for what a library does by itself",
        metrics: &[],
        charts: &["recovery-parts", "replay"],
        limits: "This project's clients with the shortest heads; a browser's are longer on both. Over loopback a round trip \
                 more costs nothing. Code to write and to keep is no number here: the verdict is about what it does when it \
                 is written well.",
        judge: by_hand,
    },
    Claim {
        number: 15,
        said: "retry: hints tame the herd that reconnects.",
        proposition: "With a hint of the reconnection time the herd's peak, streams opened within 100 ms, is at most half of \
                      what it is without one.",
        experiment: "herd on sse-h1 without a hint, with a fixed one and with one that is drawn for each stream (`2s`, `1s..5s`)",
        metrics: &[],
        charts: &["herd", "survival"],
        limits: "Half is a convention, stated beforehand. The peak depends on the number of clients and on how fast this server \
                 takes them; the scheduled spread does not. A WebSocket library brings its own spread, which no server sets.",
        judge: hints,
    },
    later(
        16,
        "Proxies and firewalls may block WebSocket; SSE passes.",
        "both lanes through real proxies in their default and their recommended configuration",
    ),
];

const fn later(number: u8, said: &'static str, experiment: &'static str) -> Claim {
    let (metrics, charts): (&[&str], &[&str]) = (&[], &[]);
    Claim { number, said, proposition: "", experiment, metrics, charts, limits: "", judge: not_yet }
}
