//! The runs of a survey: a row each.

use std::fmt;

/// How much a survey measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// About two minutes: bytes and connections.
    Quick,
    /// About fifteen minutes: what the claims and a decision need.
    Default,
    /// Everything.
    Full,
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        })
    }
}

/// One run of a survey.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Its name and folder.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// The scenario it is made from.
    pub scenario: &'static str,
    /// The fields that differ.
    pub set: &'static [(&'static str, &'static str)],
    /// Which surveys hold it.
    pub depths: &'static [Depth],
}

const QUICK: &[Depth] = &[Depth::Quick];
const MOST: &[Depth] = &[Depth::Default, Depth::Full];
const FULL: &[Depth] = &[Depth::Full];

/// What the curve over the share of messages upward compares.
const BOTH: (&str, &str) = ("lanes", "[\"sse-h1\", \"sse-h2\", \"ws-h1\"]");
const SHORT: (&str, &str) = ("duration", "\"1800ms\"");

/// A run of `game`.
const fn share(
    name: &'static str,
    depths: &'static [Depth],
    about: &'static str,
    set: &'static [(&'static str, &'static str)],
) -> Cell {
    Cell { name, about, scenario: "game", set, depths }
}

/// A scenario as it is.
const fn whole(name: &'static str, about: &'static str, depths: &'static [Depth]) -> Cell {
    Cell { name, about, scenario: name, set: &[], depths }
}

/// Every run, in the order in which they are measured: what decides most comes first.
pub const CELLS: &[Cell] = &[
    Cell {
        name: "bytes",
        about: "bytes at every payload size, handshakes and joining",
        scenario: "ticker",
        set: &[
            (
                "lanes",
                "[\"sse-h1\", \"ws-h1\", \"raw\", \"sse-h2\", \"ws-h2\", \"sse-h1+tls\", \"ws-h1+tls\"]",
            ),
            ("subscribers", "500"),
            ("duration", "\"1200ms\""),
            ("repetitions", "2"),
            ("warmup", "0"),
            ("memory", "[]"),
            ("share", "{}"),
        ],
        depths: QUICK,
    },
    Cell {
        name: "ticker",
        about: "small quotes to many, on the lanes one chooses between",
        scenario: "ticker",
        set: &[
            ("lanes", "[\"sse-h1\", \"ws-h1\", \"raw\", \"sse-h2\"]"),
            ("subscribers", "1200"),
            ("rate", "28"),
            ("duration", "\"9s\""),
            ("repetitions", "4"),
            ("memory", "[500, \"1k\", \"2k\"]"),
        ],
        depths: MOST,
    },
    Cell {
        name: "tls",
        about: "the same inside TLS",
        scenario: "ticker",
        set: &[
            ("lanes", "[\"sse-h1\", \"ws-h1\", \"sse-h1+tls\", \"ws-h1+tls\"]"),
            ("subscribers", "500"),
            ("duration", "\"3s\""),
            ("repetitions", "2"),
            ("memory", "[250, 500, \"1k\"]"),
        ],
        depths: MOST,
    },
    Cell {
        name: "stacks",
        about: "the same on the framework's stock servers: protocol or library?",
        scenario: "ticker",
        set: &[
            ("lanes", "[\"sse-h1\", \"ws-h1\", \"sse-h1%axum\", \"ws-h1%axum\"]"),
            ("subscribers", "1000"),
            ("duration", "\"3s\""),
            ("repetitions", "3"),
            ("memory", "[500, \"1k\", \"2k\"]"),
            ("sweep", "[]"),
        ],
        depths: MOST,
    },
    Cell {
        name: "compression",
        about: "the same compressed: what it saves and what it costs",
        scenario: "ticker",
        set: &[
            ("lanes", "[\"sse-h1\", \"ws-h1\", \"sse-h1+gzip\", \"ws-h1+deflate\"]"),
            ("subscribers", "500"),
            ("duration", "\"3s\""),
            ("repetitions", "3"),
            ("memory", "[250, 500, \"1k\"]"),
            ("sweep", "[]"),
        ],
        depths: FULL,
    },
    whole("polling", "pushing against asking", MOST),
    whole("connect", "a storm of connections", &[Depth::Quick, Depth::Default, Depth::Full]),
    Cell {
        name: "heartbeats",
        about: "idle connections kept alive",
        scenario: "heartbeats",
        set: &[("repetitions", "3")],
        depths: MOST,
    },
    whole("tabs", "ten tabs of one browser", MOST),
    whole("news", "few and large", MOST),
    whole("logs", "bursts of lines", MOST),
    Cell {
        name: "video",
        about: "bytes at a bitrate",
        scenario: "video",
        set: &[
            ("lanes", "[\"sse-h1\", \"ws-h1\", \"raw\", \"sse-h1+gzip\", \"ws-h1+deflate\"]"),
            ("duration", "\"3s\""),
        ],
        depths: MOST,
    },
    Cell {
        name: "upstream",
        about: "messages from client to server: frames against requests",
        scenario: "upstream",
        set: &[("memory", "[]")],
        depths: MOST,
    },
    whole("chat", "rooms, both ways", MOST),
    share(
        "share-0",
        MOST,
        "as many events and messages as game, all down",
        &[("rate", "40"), ("upstream", "0"), BOTH, SHORT],
    ),
    share(
        "share-20",
        FULL,
        "the same, a fifth of them up",
        &[("rate", "32"), ("upstream", "8"), BOTH, SHORT],
    ),
    share("game", MOST, "as much up as down", &[BOTH]),
    share(
        "share-80",
        MOST,
        "the same, four fifths of them up",
        &[("rate", "8"), ("upstream", "32"), BOTH, SHORT],
    ),
    share(
        "share-95",
        FULL,
        "the same, nearly all of them up",
        &[("rate", "2"), ("upstream", "38"), BOTH, SHORT],
    ),
    whole("collab", "edits, both ways", FULL),
    whole("rate-sweep", "up to the knee", MOST),
    Cell {
        name: "finite",
        about: "streams that the server completes: who comes back",
        scenario: "finite",
        set: &[("lanes", "[\"sse-h1\", \"ws-h1\"]")],
        depths: MOST,
    },
    Cell {
        name: "reconnect",
        about: "one drop of all: who comes back, when, and with what",
        scenario: "reconnect",
        set: &[
            ("subscribers", "500"),
            ("outage.policies", "[\"native\"]"),
            ("outage.hints", "[\"none\", \"1s..5s\"]"),
        ],
        depths: MOST,
    },
    Cell {
        name: "reconnect-same",
        about: "the same by one policy for all: what the protocol costs",
        scenario: "reconnect",
        set: &[
            ("subscribers", "500"),
            ("duration", "\"2s\""),
            ("repetitions", "4"),
            ("outage.faults", "[{ kind = \"drain\", at = \"550ms\" }]"),
            ("outage.policies", "[\"full-jitter\"]"),
        ],
        depths: MOST,
    },
    whole("tokens", "AI completions", FULL),
    whole("cancel", "clients leave", FULL),
    whole("payload-sweep", "latency and CPU by size", FULL),
    whole("interval", "one a second", FULL),
    whole("notifications", "15,000 mostly idle", FULL),
    whole("slow-readers", "half of the readers do not read", FULL),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_can_be_planned_and_names_are_unique() {
        for (at, cell) in CELLS.iter().enumerate() {
            assert!(CELLS[..at].iter().all(|other| other.name != cell.name), "{}", cell.name);
            assert!(!cell.plan().unwrap().lanes().is_empty() && !cell.depths.is_empty(), "{}", cell.name);
        }
    }
}
