//! The section on connections that drop: the sentence an architect needs, both tables, the doubts and the charts.
//!
//! Apart from the page, because a run of outages has no trials and the page's other tables are made of those.

use minijinja::{Value as Slot, context};

use super::shown;
use crate::charts::{Figure, outage::NAMES};
use crate::outage::{COLUMNS, Table, checked, said, tables};
use crate::run::Run;
use crate::summary::Standing;
use crate::table::warning_line;

/// Whether a chart stands in this section.
pub fn has(figure: &Figure) -> bool {
    NAMES.contains(&figure.name)
}

/// The section; without tables there is none. An invalid run says nothing in words.
pub fn of(run: &Run, standing: Standing, figures: &[(Figure, String)]) -> Slot {
    let (checked, doubts) = checked(run);
    let said = if standing == Standing::Invalid { Vec::new() } else { said(run) };
    let drawn = figures.iter().filter(|(figure, _)| has(figure));
    context! {
        said, checked,
        doubts => doubts.iter().map(warning_line).collect::<Vec<_>>(),
        columns => COLUMNS.iter().map(|column| context! { name => column.name, read => column.read }).collect::<Vec<_>>(),
        tables => tables(run).iter().map(table).collect::<Vec<_>>(),
        figures => drawn.map(|(figure, svg)| shown(figure, svg)).collect::<Vec<_>>(),
    }
}

fn table(table: &Table<'_>) -> Slot {
    let row = |row| {
        let cells = COLUMNS.iter().map(|column| (column.cell)(row)).collect::<Vec<_>>();
        context! { name => table.label(row), cells }
    };
    context! { title => table.title(), rows => table.rows.iter().map(row).collect::<Vec<_>>() }
}
