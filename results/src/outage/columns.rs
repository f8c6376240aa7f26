//! The two tables of outages, native policy and same policy: one row a case and lane, and a column for everything
//! that was counted. On a screen stand those that a choice rests on; the page has all of them.

use super::{Class, Naming, Row, causes, counted, rows};
use crate::run::{Outage, Run};
use crate::table::Grid;
use crate::value::{Value, number};

/// One column.
pub struct Column {
    /// Its heading, with the unit.
    pub name: &'static str,
    /// Whether it stands on a screen too.
    pub shown: bool,
    /// How to read it.
    pub read: &'static str,
    /// What stands in a row.
    pub cell: fn(&Row<'_>) -> String,
}

/// One of the two tables.
pub struct Table<'a> {
    /// Which of them.
    pub class: Class,
    /// What all rows have in common, and how many starts they rest on; that there are none.
    pub about: String,
    /// Its rows.
    pub rows: Vec<Row<'a>>,
    naming: Naming,
}

const fn shown(name: &'static str, read: &'static str, cell: fn(&Row<'_>) -> String) -> Column {
    Column { name, shown: true, read, cell }
}

const fn further(name: &'static str, read: &'static str, cell: fn(&Row<'_>) -> String) -> Column {
    Column { name, shown: false, read, cell }
}

fn known(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| Value::from(Some(value)).text())
}

fn count(row: &Row<'_>, of: fn(&Outage) -> u64) -> String {
    number(row.sum(of) as f64)
}

fn part(row: &Row<'_>, at: usize) -> String {
    known(row.parts_ms().map(|parts| parts[at]))
}

/// All columns, in their order.
pub static COLUMNS: &[Column] = &[
    further("own policy", "What the policy is on this lane.", |row| row.own_policy.to_string()),
    further(
        "hint",
        "What the server told of the reconnection time; a dash where clients do not heed it.",
        |row| row.heeded().map_or_else(|| "-".to_owned(), |hint| hint.to_string()),
    ),
    further("window, events", "Events that the server kept.", |row| number(row.window as f64)),
    further("clients", "Clients, all repetitions together.", |row| count(row, |one| one.clients)),
    shown(
        "p50, ms",
        "Time without events, from the last live arrival to having all again: half of the recoveries.",
        |row| known(row.unavailable_ms(0.5)),
    ),
    shown("p95, ms", "The same: 95 % of the recoveries.", |row| known(row.unavailable_ms(0.95))),
    shown("max, ms", "The same: the longest.", |row| known(row.unavailable().max().map(super::millis))),
    shown("detect, ms", "Mean from the last live arrival to knowing that the stream is over.", |row| {
        part(row, 0)
    }),
    shown("back off, ms", "Mean of waiting before all attempts.", |row| part(row, 1)),
    shown("connect, ms", "Mean of connecting, in all attempts.", |row| part(row, 2)),
    shown("first event, ms", "Mean from the open stream to its first event, if any was due.", |row| {
        part(row, 3)
    }),
    shown("catch up, ms", "Mean from there to the last event that was due when the stream opened.", |row| {
        part(row, 4)
    }),
    further(
        "to first event p99, ms",
        "From the beginning of the attempt that opened a stream to its first event: 99 % of them.",
        |row| known(row.first_event().quantile(0.99).map(super::millis)),
    ),
    shown("tries", "Attempts for each time that a stream was lost.", |row| {
        known(row.per(|one| one.attempts, |one| one.disconnections))
    }),
    further("silence late, ms", "How late a connection was given up for silence, at most.", |row| {
        known(row.outages.iter().filter_map(|one| one.silence_late.max()).max().map(super::millis))
    }),
    further("failed attempts", "Attempts that failed, by how.", |row| {
        counted(&row.counts(|one| &one.failed_attempts))
    }),
    further("noticed by", "How clients learnt that their stream was lost.", |row| {
        counted(&row.counts(|one| &one.noticed))
    }),
    shown("lost", "Deliveries that never came.", |row| count(row, |one| one.ledger.lost)),
    further("lost, by cause", "The same by what became of them.", |row| counted(&causes(&row.lost()))),
    shown("twice", "Deliveries that came again.", |row| count(row, |one| one.ledger.duplicated)),
    further("reordered", "Deliveries that came after a later one.", |row| {
        count(row, |one| one.ledger.reordered)
    }),
    further("replayed a recovery", "Events that came from the window, for each recovery.", |row| {
        known(row.per(|one| one.replayed_events, |one| one.recovered))
    }),
    further("replayed a recovery, B", "Bytes between opening a stream again and having all events.", |row| {
        known(row.per(|one| one.replayed_bytes, |one| one.recovered))
    }),
    further(
        "handshakes a recovery, B",
        "Bytes of the handshakes that opened streams again, both directions.",
        |row| known(row.per(|one| one.handshake_bytes, |one| one.recovered)),
    ),
    shown(
        "away",
        "Clients who never had all events again: they gave up, or were still to come back.",
        |row| number(row.away() as f64),
    ),
    further("gave up", "Clients of these who gave up, by what made them.", |row| {
        counted(&row.counts(|one| &one.gave_up))
    }),
    shown("meant 5-95 %, s", "First attempts as meant: 5th to 95th percentile.", |row| {
        known(row.spread_s(|one| one.scheduled_spread_ns))
    }),
    shown("begun 5-95 %, s", "First attempts as begun: 5th to 95th percentile.", |row| {
        known(row.spread_s(|one| one.actual_spread_ns))
    }),
    shown("peak /100 ms", "The most streams that were opened within 100 ms.", |row| {
        known(row.peak().map(|peak| peak as f64))
    }),
    further(
        "all back, s",
        "From the first attempt of all to the last client that has all again, where each lost its stream once.",
        |row| known(row.back_s()),
    ),
    further(
        "listen overflows",
        "Connections that the kernel dropped at a full listen queue, whole machine.",
        |row| count(row, |one| one.listen_overflows),
    ),
    further("refused by the server", "Requests that the server refused, by reason.", |row| {
        counted(&row.counts(|one| &one.refused))
    }),
    further(
        "left at the server",
        "Connections open at the server when all was over, beyond those of the clients.",
        |row| count(row, |one| one.leaked),
    ),
    further(
        "let go, ms",
        "Time until the server held none of the clients' connections when all had left, at most.",
        |row| known(row.outages.iter().filter_map(|one| one.released_ns).max().map(super::millis)),
    ),
    further("server CPU, ms", "CPU of the server in a repetition.", |row| known(row.server_cpu_ms())),
    further("server peak, MiB", "The most resident memory of the server.", |row| known(row.peak_rss_mib())),
];

/// Both tables; nothing where nothing broke.
#[must_use]
pub fn tables(run: &Run) -> Vec<Table<'_>> {
    if run.outages.is_empty() {
        return Vec::new();
    }
    Class::ALL.map(|class| table(class, rows(run))).into()
}

fn table(class: Class, mut rows: Vec<Row<'_>>) -> Table<'_> {
    rows.retain(|row| row.class() == class);
    let naming = Naming::of(&rows);
    let starts = rows.iter().map(|row| row.outages.len()).max().unwrap_or(0);
    let about = match rows.is_empty() {
        true => "no case of this run".to_owned(),
        false => {
            let common = naming.common(&rows);
            let common = if common.is_empty() { common } else { format!("{common}; ") };
            format!("{common}starts {starts}")
        }
    };
    Table { class, about, rows, naming }
}

impl Table<'_> {
    /// What the table is of.
    #[must_use]
    pub fn title(&self) -> String {
        let what = match self.class {
            Class::Native => "what each client does by itself or by its usual library",
            Class::Same => "what is left to the protocol",
        };
        format!("{}, {what} ({})", self.class.words(), self.about)
    }

    /// What a row is called: the case as far as it differs, and the lane.
    #[must_use]
    pub fn label(&self, row: &Row<'_>) -> String {
        let name = self.naming.name(row);
        if name.is_empty() { row.lane.to_string() } else { format!("{name}, {}", row.lane) }
    }

    /// The table for a screen.
    #[must_use]
    pub(crate) fn grid(&self) -> Grid {
        let column = |column: &Column| {
            (column.name.to_owned(), self.rows.iter().map(|row| (column.cell)(row)).collect())
        };
        Grid {
            corner: String::new(),
            labels: self.rows.iter().map(|row| self.label(row)).collect(),
            columns: COLUMNS.iter().filter(|column| column.shown).map(column).collect(),
        }
    }
}
