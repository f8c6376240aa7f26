//! The rows: every metric, in the order it is shown.

use super::extract as x;
use super::messages as m;
use super::{Metric, Rank, Source, count, joining, message, metric, micros, millis, trial};

const LATENCY: &str = "Arrival minus the intended send time: a late publisher counts against the lane.";
const SERVICE: &str = "From the actual publish, on sampled connections: hides a late publisher.";
const LAG: &str = "Actual publish minus intended send time: the publisher's own lateness.";
const PICKUP: &str = "Kernel receive stamp to read: the generator's own lag, no property of a transport.";
const JITTER: &str = "Change of latency from one event to the next on the same subscriber.";
const CONNECT: &str = "Start of connecting to the end of the handshake, while all subscribers arrive.";
const FIRST: &str = "Start of connecting to the first event, which is sent on joining.";
const OPENING: &str = "User and system time of the processes while the lane's connections opened, over connections: from \
                       the first packet to the greeting event.";
const CPU: &str = "User and system time of the processes over deliveries. On loopback the receiver's TCP input \
                   runs inside the sender's send.";
const KERNEL: &str = "Of this CPU the part in system calls and the network stack; the rest is the program's.";
const MEMORY: &str = "PSS by least squares over idle connections, in a phase of its own.";
const SLOW: &str = "Of what was addressed to slow readers, when they had read what waited for them. All other metrics leave \
                    them out, but for the ledger, bytes and CPU.";
const QUEUE: &str = "In the kernel when publishing ended, over slow readers.";
const BEAT: &str = "A heartbeat on an idle connection, with its answer and all headers: an SSE comment, a WebSocket ping and pong.";
const BEAT_CPU: &str =
    "User and system time of the processes over heartbeats, while they were all that happened.";
const ROUND_TRIP: &str =
    "From the instant at which a message was meant to be sent to the arrival of its echo.";
const ONE_WAY: &str =
    "From the instant at which a message was meant to be sent to its arrival at the server.";
const MESSAGE_CPU: &str = "All CPU over messages that came back, echo and answer included; only where messages \
                           outnumber pushed events ten to one.";
const MESSAGE_WIRE: &str = "All bytes in both directions with TCP/IP headers, echoes, answers and acknowledgements included, \
                            over messages; only where messages outnumber pushed events ten to one.";
const UNTOLD: &str = "In the time a subscriber is watched from its first request on, of those told nothing of the end of their stream.";
const GAP: &str = "Arrival minus the arrival of the event before it in the same stream; the gaps of one stream share its fate.";
const RELEASE: &str = "From a client's leaving to the server's letting go of its stream.";
const WIRE: &str = "Bytes a network would carry: TCP stream plus 52 bytes of IPv4 and TCP header a segment.";

/// Every metric, in the order it is shown.
pub static ALL: &[Metric] = &[
    millis("latency p50", x::latency, 0.5, LATENCY).rank(Rank::Headline),
    millis("latency p90", x::latency, 0.9, LATENCY),
    millis("latency p99", x::latency, 0.99, LATENCY).rank(Rank::Headline),
    millis("latency p99.9", x::latency, 0.999, LATENCY),
    trial("latency mean", "ms", x::latency_mean, "Mean of the same, paired block by block.")
        .rank(Rank::Headline)
        .blocks(x::block_latency),
    micros("service p50", x::service, 0.5, SERVICE).rank(Rank::Detail),
    micros("service p99", x::service, 0.99, SERVICE).rank(Rank::Detail),
    millis("jitter p50", x::jitter, 0.5, JITTER).rank(Rank::Detail),
    millis("jitter p99", x::jitter, 0.99, JITTER),
    micros("publish lag p50", x::publish_lag, 0.5, LAG).rank(Rank::Detail),
    micros("publish lag p99", x::publish_lag, 0.99, LAG),
    micros("generator lag p50", x::pickup, 0.5, PICKUP).rank(Rank::Detail),
    micros("generator lag p99", x::pickup, 0.99, PICKUP),
    joining("connect p50", x::connect, 0.5, CONNECT),
    joining("connect p99", x::connect, 0.99, CONNECT),
    joining("first event p50", x::first_event, 0.5, FIRST),
    joining("first event p99", x::first_event, 0.99, FIRST),
    count("expected", "deliveries", x::expected, "Events times the subscribers they were addressed to.")
        .rank(Rank::Detail)
        .higher(),
    count("delivered", "deliveries", x::delivered, "Arrived with the right identity and body.").higher(),
    count("lost", "deliveries", x::lost, "Expected and never arrived."),
    count("duplicated", "deliveries", x::duplicated, "Arrived again."),
    count("reordered", "deliveries", x::reordered, "Arrived after a later one."),
    count("corrupted", "deliveries", x::corrupted, "Arrived with a wrong body or name."),
    trial("slow: delivered", "%", x::slow_delivered, SLOW).higher(),
    trial("slow: dropped", "deliveries", x::slow_dropped, "To slow readers, by the server: what it counted equals what they lack.")
        ,
    trial("slow: disconnected", "readers", x::slow_disconnected, "Slow readers whose connection the server ended.")
        .rank(Rank::Detail),
    trial("slow: held by the server", "KiB", x::hub_peak, "Framed events, at most, for all that had still to read them.")
        ,
    trial("slow: held in send queues", "KiB/reader", x::send_queue, QUEUE),
    trial("slow: held in receive queues", "KiB/reader", x::receive_queue, QUEUE),
    count("connection failures", "failures", x::failures, "Attempts that failed, of every kind.")
        .rank(Rank::Detail),
    trial("deliveries/s", "1/s", x::rate, "Deliveries over the time of publishing: the load, not a limit.")
        .higher(),
    trial("server CPU", "us/delivery", x::server_cpu, CPU).rank(Rank::Headline).blocks(x::block_server_cpu),
    trial("client CPU", "us/delivery", x::client_cpu, CPU).rank(Rank::Headline).blocks(x::block_client_cpu),
    trial("server CPU in kernel", "us/delivery", x::server_kernel, KERNEL).rank(Rank::Detail),
    trial("client CPU in kernel", "us/delivery", x::client_kernel, KERNEL).rank(Rank::Detail),
    trial(
        "server switches",
        "/delivery",
        x::server_switches,
        "Context switches of the servers' processes over deliveries.",
    )
    .rank(Rank::Detail)
    .blocks(x::block_server_switches),
    trial(
        "client switches",
        "/delivery",
        x::client_switches,
        "Context switches of the generators' processes over deliveries.",
    )
    .rank(Rank::Detail)
    .blocks(x::block_client_switches),
    trial("streams begun", "/subscriber", x::streams, UNTOLD),
    trial("connections opened", "/subscriber", x::connections, UNTOLD),
    trial("events repeated", "/subscriber", x::repeated_events, UNTOLD),
    trial("bytes repeated", "B/subscriber", x::repeated_bytes, "Both ways, without TCP/IP headers, for streams after the first and for being told that there is none."),
    millis("event gap p50", x::gap, 0.5, GAP),
    millis("event gap p90", x::gap, 0.9, GAP),
    millis("event gap p99", x::gap, 0.99, GAP),
    trial("completion p50", "ms", x::completion_p50, "From the request for a stream to its client's knowing that it is complete."),
    trial("release p50", "ms", x::release_p50, RELEASE),
    trial("release max", "ms", x::release_max, RELEASE),
    trial("produced in vain", "/leaver", x::in_vain, "Events that a server produced for a client that had left, or that were on their way to it."),
    count("left behind", "streams", x::left_behind, "Streams, connections and descriptors that the servers still held when all clients were gone."),
    trial("memory kept", "KiB/subscriber", x::memory_kept, "PSS of the servers when all clients were gone, beyond that before the first came: what is not given back.").rank(Rank::Detail),
    trial("end known p50", "ms", x::knowing, "From the last event of a stream to the client's knowing that nothing follows."),
    trial("heartbeat wire down", "B/heartbeat", x::heartbeat_down, BEAT),
    trial("heartbeat wire up", "B/heartbeat", x::heartbeat_up, BEAT),
    trial("heartbeat server CPU", "us/heartbeat", x::heartbeat_server_cpu, BEAT_CPU),
    trial("heartbeat client CPU", "us/heartbeat", x::heartbeat_client_cpu, BEAT_CPU),
    metric("server memory", "KiB/conn", Source::Memory(x::server_memory), MEMORY).rank(Rank::Headline),
    metric("client memory", "KiB/conn", Source::Memory(x::client_memory), MEMORY).rank(Rank::Headline),
    metric(
        "kernel memory",
        "KiB/conn",
        Source::Memory(x::kernel_memory),
        "Kernel slab by least squares over idle connections: both ends, invisible in a process.",
    ),
    trial("payload", "B/event", x::payload, "Bodies, as the decoder counted them.").exact(),
    trial("event framing", "B/event", x::event_framing, "SSE field names and newlines, or the envelope.")
        .exact(),
    trial("compressed", "B/event", x::coded, "Payload and event framing, which compression makes one.")
        .exact(),
    trial(
        "transport framing",
        "B/event",
        x::transport_framing,
        "HTTP chunk lines, WebSocket headers, or the raw lane's length prefix.",
    )
    .exact(),
    trial(
        "poll heads",
        "B/event",
        x::poll_heads,
        "Response heads of polls, those without an event included.",
    )
    .exact(),
    trial("polls", "/event", x::polls, "Answers to polls per event and subscriber."),
    trial("empty polls", "/event", x::empty_polls, "Of these, the answers that held no event."),
    count("skipped polls", "polls", x::skipped_polls, "Left out because the one before was unanswered.")
        .rank(Rank::Detail),
    trial("TLS framing", "B/event", x::tls, "Headers and tags of TLS records, and TLS's own messages.")
        .exact(),
    trial("TLS records", "/event", x::tls_records, "TLS 1.3 records received per event and subscriber.")
        .rank(Rank::Detail),
    trial("wire bytes down", "B/event", x::wire_down, WIRE).rank(Rank::Headline),
    trial("wire bytes up", "B/event", x::wire_up, "The same towards the server: mostly acknowledgements.")
        .rank(Rank::Headline),
    trial("segments down", "/event", x::segments_down, "TCP segments received per event and subscriber.")
        .rank(Rank::Detail),
    trial("segments up", "/event", x::segments_up, "TCP segments sent back per event and subscriber.")
        .rank(Rank::Detail),
    trial(
        "handshake down",
        "B/conn",
        x::handshake_down,
        "Received before the stream was open; where streams share a connection, a stream's part.",
    )
    .exact(),
    trial(
        "handshake up",
        "B/conn",
        x::handshake_up,
        "Sent before the stream was open; where streams share a connection, a stream's part.",
    )
    .exact(),
    trial(
        "knee",
        "events/s",
        x::knee,
        "The highest rate of the sweep at which nothing is lost, p99 is below 100 ms and the server below 95 % of a core.",
    )
    .higher(),
    trial("connect server CPU", "us/conn", x::opening_server_cpu, OPENING),
    trial("connect client CPU", "us/conn", x::opening_client_cpu, OPENING),
    trial(
        "connects/s",
        "1/s",
        x::opening_rate,
        "Connections opened over the time of the lane's turns: both ends on one machine, not a limit.",
    )
    .rank(Rank::Detail)
    .higher(),
    trial(
        "round trips",
        "/conn",
        x::round_trips,
        "Until the stream is open, as the protocols demand: TCP 1, TLS 1.3 1, request or upgrade 1. Stated, not timed.",
    )
    .exact(),
    message("round trip p50", "ms", x::round_trip, 0.5, ROUND_TRIP),
    message("round trip p99", "ms", x::round_trip, 0.99, ROUND_TRIP),
    trial("round trip mean", "ms", m::round_trip_mean, "Mean of the same, paired block by block.")
        .blocks(m::block_round_trip),
    message("upward one way p50", "ms", x::one_way, 0.5, ONE_WAY),
    message("upward one way p99", "ms", x::one_way, 0.99, ONE_WAY),
    message("send lag p99", "ms", x::send_lag, 0.99, "How late the generator offered a message to its connection.")
        .rank(Rank::Detail),
    count("messages", "messages", m::expected, "Messages upward that were meant to be sent.").higher(),
    count("messages unsent", "messages", m::unsent, "Of these never sent: the peer did not read or answer."),
    count("messages lost", "messages", m::lost, "Sent, and no echo came."),
    count(
        "messages reordered",
        "messages",
        m::reordered,
        "Reached the server, or came back, after a later one of the same sender.",
    ),
    trial("upward payload", "B/message", m::payload, "Bodies of messages, as the client wrote them.").exact(),
    trial("upward framing", "B/message", m::framing, "The message's number.").exact(),
    trial("upward compressed", "B/message", m::coded, "Body and number, which compression makes one.").exact(),
    trial(
        "upward transport",
        "B/message",
        m::transport,
        "WebSocket frame header and mask, head of the request and HTTP/2 frame headers, or the raw lane's length prefix.",
    )
    .exact(),
    trial("upward other", "B/message", m::other, "What TLS adds to them, and frames that steer a connection.")
        .exact(),
    trial("answer bytes", "B/message", m::answers, "Answers to requests; TLS included where they have a connection of \
           their own. No other lane has any.")
        .exact(),
    trial("message bytes", "B/message", m::both_ways, "All that is sent upward, and the answers to it; without \
           echoes and TCP/IP headers.")
        .exact(),
    trial("message on the wire", "B/message", m::on_the_wire, MESSAGE_WIRE),
    trial("message server CPU", "us/message", m::server_cpu, MESSAGE_CPU).blocks(m::block_server_cpu),
    trial("message client CPU", "us/message", m::client_cpu, MESSAGE_CPU).blocks(m::block_client_cpu),
    trial("server writes", "/delivery", x::server_writes, "System calls that wrote, over deliveries.")
        .rank(Rank::Detail),
];
