//! What a chart is before it is drawn: words, axes, and either curves or bars.
//!
//! Charts build this value and nothing else; how it looks is decided once, in the renderer.

use crate::run::Run;

use super::axis::Axis;

/// One chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// File name without its ending.
    pub name: &'static str,
    /// The question it answers.
    pub question: &'static str,
    /// The answer, computed from the data.
    pub finding: String,
    /// How to read it.
    pub how: &'static str,
    /// What it rests on.
    pub caption: String,
    /// Colours and shapes with their meaning.
    pub legend: Vec<Key>,
    /// What is drawn.
    pub plot: Plot,
}

/// The two kinds of plot.
#[derive(Clone, Debug, PartialEq)]
pub enum Plot {
    /// Values over a continuous quantity.
    Curves(Curves),
    /// One horizontal bar a row.
    Bars(Bars),
    /// Small curves beside and below each other.
    Panels(Vec<Panel>),
}

/// One of several small plots.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What it is of.
    pub title: String,
    /// What is drawn.
    pub curves: Curves,
}

/// Lines over an abscissa.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// Abscissa.
    pub x: Axis,
    /// Ordinate.
    pub y: Axis,
    /// Drawn in this order.
    pub curves: Vec<Curve>,
    /// Vertical lines with a word: where something begins.
    pub marks: Vec<(f64, String)>,
    /// A horizontal line that values are compared with.
    pub level: Option<f64>,
}

/// How strongly a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// The answer.
    Thick,
    /// Behind the answer: one repetition.
    Thin,
    /// A second quantity of the same lane.
    Dashed,
    /// Not to be relied on.
    Dotted,
    /// What the others are compared with.
    Level,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Index of colour and marker.
    pub hue: usize,
    /// How it is drawn.
    pub stroke: Stroke,
    /// In order of the abscissa.
    pub points: Vec<(f64, f64)>,
    /// Points that carry the lane's marker.
    pub markers: Vec<(f64, f64)>,
}

/// Horizontal bars from zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// Starts at zero.
    pub axis: Axis,
    /// From top to bottom.
    pub rows: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// The group's name, on its first row.
    pub group: String,
    /// What this row of the group is.
    pub label: String,
    /// Hue and length of each part, stacked.
    pub parts: Vec<(usize, f64)>,
    /// 95 % interval of the whole.
    pub interval: Option<(f64, f64)>,
    /// Each repetition.
    pub dots: Vec<f64>,
    /// Written behind the bar.
    pub text: String,
}

/// One entry of the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// What it means.
    pub label: String,
    /// Index of colour and marker.
    pub hue: usize,
    /// How it is shown.
    pub shape: Shape,
}

/// How a legend entry is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line, with the marker of its hue if it is thick.
    Line(Stroke),
    /// A filled box.
    Box,
    /// The dot of a repetition.
    Dot,
    /// An interval.
    Whisker,
}

impl Key {
    /// One entry.
    #[must_use]
    pub fn new(label: impl Into<String>, hue: usize, shape: Shape) -> Self {
        Self { label: label.into(), hue, shape }
    }
}

/// One chart of the report: its name and how it is made.
pub struct Chart {
    /// File name without its ending.
    pub name: &'static str,
    /// Nothing when the run has no data for it.
    pub draw: fn(&Run) -> Option<Figure>,
}
