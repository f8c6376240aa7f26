//! The one renderer: a [`Figure`] as SVG, 720 pixels wide and as high as its words and rows need.
//!
//! Question, finding and legend stand above the plot, the caption below it, so that nothing can lie
//! on the data or be clipped.

use plotters::style::text_anchor::{HPos, VPos};

use super::axis::Axis;
use super::figure::{Bar, Bars, Curve, Curves, Figure, Key, Panel, Plot, Shape, Stroke};
use super::palette::{FAINT, GREY, INK, colour, on};
use super::pen::{Pen, Place};
use super::words::{shorten, width, wrap};
use crate::value::number;

const WIDTH: f64 = 720.0;
const EDGE: f64 = 16.0;
const TITLE: f64 = 20.0;
const BODY: f64 = 15.0;
const SMALL: f64 = 14.0;
const LEADING: f64 = 1.35;
const CURVES_HIGH: f64 = 290.0;
/// Of small plots: the curves alone, what stands above and below them, and the room between two beside each other.
const PANEL_HIGH: f64 = 150.0;
const PANEL_TITLE: f64 = 24.0;
const PANEL_BETWEEN: f64 = 16.0;
const PANELS_BESIDE: usize = 2;
const ROW: f64 = 26.0;
/// Room for a group's name above its rows.
const GROUP: f64 = 27.0;
const AXIS_HIGH: f64 = 50.0;
/// Room for a row's name before the bars, and for the number behind them.
const LABELS: f64 = 116.0;
const BEHIND: f64 = 130.0;

const LEFT_TOP: (HPos, VPos) = (HPos::Left, VPos::Top);
const LEFT: (HPos, VPos) = (HPos::Left, VPos::Center);
const RIGHT: (HPos, VPos) = (HPos::Right, VPos::Center);
const MIDDLE: (HPos, VPos) = (HPos::Center, VPos::Center);
const UNDER: (HPos, VPos) = (HPos::Center, VPos::Top);

/// A plot's rectangle in pixels.
#[derive(Clone, Copy)]
struct Frame {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Frame {
    fn x(&self, axis: &Axis, value: f64) -> f64 {
        self.left + axis.place(value) * (self.right - self.left)
    }

    fn y(&self, axis: &Axis, value: f64) -> f64 {
        self.bottom - axis.place(value) * (self.bottom - self.top)
    }
}

/// Draws a figure.
#[must_use]
pub fn svg(figure: &Figure) -> String {
    let room = WIDTH - 2.0 * EDGE;
    let title = wrap(figure.question, TITLE, room, 2);
    let finding = wrap(&figure.finding, BODY, room, 6);
    let caption = wrap(&figure.caption, SMALL, room, 5);
    let legend = legend_places(&figure.legend, room);
    let legend_high = legend.last().map_or(0.0, |place| place.1 + SMALL * LEADING + 12.0);
    let high = |lines: &[String], size: f64| lines.len() as f64 * size * LEADING;
    let plot_top = EDGE + high(&title, TITLE) + high(&finding, BODY) + legend_high + 18.0;
    let plot_high = match &figure.plot {
        Plot::Curves(_) => CURVES_HIGH,
        Plot::Bars(bars) => bars_high(&bars.rows),
        Plot::Panels(panels) => panels_high(panels.len()),
    };
    let caption_top = plot_top + plot_high + AXIS_HIGH + 8.0;
    let height = caption_top + high(&caption, SMALL) + 10.0;

    let mut out = String::new();
    let pen = Pen::new(&mut out, (WIDTH as u32, height.ceil() as u32));
    let below = lines(&pen, &title, EDGE, TITLE, INK);
    let below = lines(&pen, &finding, below + 2.0, BODY, INK);
    for (key, place) in figure.legend.iter().zip(&legend) {
        draw_key(&pen, key, (EDGE + place.0, below + 14.0 + place.1));
    }
    lines(&pen, &caption, caption_top, SMALL, GREY);
    let bottom = plot_top + plot_high;
    match &figure.plot {
        Plot::Curves(curves) => {
            draw_curves(
                &pen,
                curves,
                Frame { left: EDGE, top: plot_top, right: WIDTH - EDGE - 14.0, bottom },
            );
        }
        Plot::Bars(bars) => draw_bars(&pen, bars, plot_top, bottom),
        Plot::Panels(panels) => draw_panels(&pen, panels, plot_top),
    }
    pen.finish();
    out
}

/// Writes lines below each other and says where the next would start.
fn lines(pen: &Pen<'_>, lines: &[String], top: f64, size: f64, ink: plotters::style::RGBColor) -> f64 {
    for (i, line) in lines.iter().enumerate() {
        pen.text(line, (EDGE, top + i as f64 * size * LEADING), size, ink, LEFT_TOP);
    }
    top + lines.len() as f64 * size * LEADING
}

/// Where each entry of the legend starts, wrapped into rows.
fn legend_places(legend: &[Key], room: f64) -> Vec<Place> {
    let (mut x, mut y) = (0.0, 0.0);
    let mut places = Vec::new();
    for key in legend {
        let needed = 34.0 + width(&key.label, SMALL) + 20.0;
        if x > 0.0 && x + needed - 20.0 > room {
            (x, y) = (0.0, y + SMALL * LEADING + 3.0);
        }
        places.push((x, y));
        x += needed;
    }
    places
}

fn draw_key(pen: &Pen<'_>, key: &Key, at: Place) {
    let ends = [at, (at.0 + 28.0, at.1)];
    let middle = (at.0 + 14.0, at.1);
    match key.shape {
        Shape::Line(stroke) => {
            draw_stroke(pen, &ends, key.hue, stroke);
            if stroke == Stroke::Thick {
                pen.marker(middle, key.hue);
            }
        }
        Shape::Box => pen.filled((at.0 + 6.0, at.1 - 7.0), (at.0 + 28.0, at.1 + 7.0), colour(key.hue)),
        Shape::Dot => pen.dot(middle),
        Shape::Whisker => pen.whisker(ends[0], ends[1]),
    }
    pen.text(&key.label, (at.0 + 34.0, at.1), SMALL, INK, LEFT);
}

fn draw_stroke(pen: &Pen<'_>, places: &[Place], hue: usize, stroke: Stroke) {
    let ink = colour(hue);
    match stroke {
        Stroke::Thick => pen.line(places, ink, 1.0, 3),
        Stroke::Thin => pen.line(places, ink, 0.4, 1),
        Stroke::Dashed => pen.broken(places, ink, 2, (8.0, 5.0)),
        Stroke::Dotted => pen.broken(places, ink, 2, (2.0, 4.0)),
        Stroke::Level => pen.line(places, INK, 1.0, 2),
    }
}

/// Curves with their axes; the ordinate's label and ticks take their room from the left of the frame.
fn draw_curves(pen: &Pen<'_>, curves: &Curves, outer: Frame) {
    let ticks = curves.y.ticks.iter().map(|tick| width(&tick.1, SMALL)).fold(0.0, f64::max);
    let frame = Frame { left: outer.left + 24.0 + ticks + 8.0, ..outer };
    for (at, label) in &curves.y.ticks {
        let y = frame.y(&curves.y, *at);
        pen.line(&[(frame.left, y), (frame.right, y)], FAINT, 1.0, 1);
        pen.text(label, (frame.left - 7.0, y), SMALL, GREY, RIGHT);
    }
    pen.upright(&curves.y.label, (outer.left + 6.0, f64::midpoint(frame.top, frame.bottom)), SMALL, INK);
    draw_x_axis(pen, &curves.x, frame);
    draw_marks(pen, curves, frame);
    if let Some(level) = curves.level {
        let y = frame.y(&curves.y, level);
        draw_stroke(pen, &[(frame.left, y), (frame.right, y)], 0, Stroke::Level);
    }
    for curve in &curves.curves {
        draw_curve(pen, curve, |point| (frame.x(&curves.x, point.0), frame.y(&curves.y, point.1)));
    }
}

/// Upright lines with their words, which go a line lower where they would lie on each other, and to the left of
/// their line where the plot ends before them.
fn draw_marks(pen: &Pen<'_>, curves: &Curves, frame: Frame) {
    let mut rows: Vec<f64> = Vec::new();
    for (at, word) in &curves.marks {
        let x = frame.x(&curves.x, *at);
        pen.line(&[(x, frame.top), (x, frame.bottom)], GREY, 0.7, 1);
        let long = width(word, SMALL);
        let fits = x + 4.0 + long <= frame.right || x - 4.0 - long < frame.left;
        let left = if fits { x + 4.0 } else { x - 4.0 - long };
        let word = shorten(word, SMALL, frame.right - left);
        let row = rows.iter().position(|end| *end <= left).unwrap_or(rows.len());
        rows.resize(rows.len().max(row + 1), 0.0);
        rows[row] = left + long + 4.0;
        let top = frame.top + 2.0 + row as f64 * SMALL * LEADING;
        pen.text(&word, (left, top), SMALL, GREY, LEFT_TOP);
    }
}

fn panels_high(panels: usize) -> f64 {
    let lines = panels.div_ceil(PANELS_BESIDE) as f64;
    lines * (PANEL_TITLE + PANEL_HIGH) + (lines - 1.0).max(0.0) * AXIS_HIGH
}

/// Small plots, two beside each other, each with its axes.
fn draw_panels(pen: &Pen<'_>, panels: &[Panel], top: f64) {
    let beside = PANELS_BESIDE as f64;
    let wide = (WIDTH - 2.0 * EDGE - (beside - 1.0) * PANEL_BETWEEN) / beside;
    for (at, panel) in panels.iter().enumerate() {
        let left = EDGE + (at % PANELS_BESIDE) as f64 * (wide + PANEL_BETWEEN);
        let top = top + (at / PANELS_BESIDE) as f64 * (PANEL_TITLE + PANEL_HIGH + AXIS_HIGH);
        let title = shorten(&panel.title, SMALL, wide);
        pen.text(&title, (left, top), SMALL, INK, LEFT_TOP);
        let top = top + PANEL_TITLE;
        draw_curves(
            pen,
            &panel.curves,
            Frame { left, top, right: left + wide - 14.0, bottom: top + PANEL_HIGH },
        );
    }
}

fn draw_curve(pen: &Pen<'_>, curve: &Curve, place: impl Fn(&Place) -> Place) {
    let places: Vec<Place> = curve.points.iter().map(&place).collect();
    draw_stroke(pen, &places, curve.hue, curve.stroke);
    curve.markers.iter().for_each(|point| pen.marker(place(point), curve.hue));
}

fn draw_x_axis(pen: &Pen<'_>, axis: &Axis, frame: Frame) {
    for (at, label) in &axis.ticks {
        let x = frame.x(axis, *at);
        pen.line(&[(x, frame.top), (x, frame.bottom + 5.0)], FAINT, 1.0, 1);
        pen.text(label, (x, frame.bottom + 8.0), SMALL, GREY, UNDER);
    }
    let ends = [(frame.left, frame.top), (frame.left, frame.bottom), (frame.right, frame.bottom)];
    pen.line(&ends, GREY, 1.0, 1);
    let middle = f64::midpoint(frame.left, frame.right);
    pen.text(&axis.label, (middle, frame.bottom + 28.0), SMALL, INK, UNDER);
}

fn bars_high(rows: &[Bar]) -> f64 {
    let groups = rows.iter().filter(|row| !row.group.is_empty()).count();
    rows.len() as f64 * ROW + groups as f64 * GROUP
}

fn draw_bars(pen: &Pen<'_>, bars: &Bars, top: f64, bottom: f64) {
    let longest = bars.rows.iter().map(|row| width(&row.label, SMALL)).fold(0.0, f64::max);
    let labels = (longest + 8.0).clamp(LABELS, 2.0 * LABELS);
    let frame = Frame { left: EDGE + labels, top, right: WIDTH - EDGE - BEHIND, bottom };
    draw_x_axis(pen, &bars.axis, frame);
    let mut y = top;
    for row in &bars.rows {
        if !row.group.is_empty() {
            let name = shorten(&row.group, SMALL, WIDTH - 2.0 * EDGE);
            let behind = (EDGE + width(&name, SMALL), y + GROUP - 3.0);
            pen.filled((EDGE, y + 5.0), behind, plotters::style::WHITE);
            pen.text(&name, (EDGE, y + GROUP / 2.0 + 2.0), SMALL, INK, LEFT);
            y += GROUP;
        }
        let label = shorten(&row.label, SMALL, labels - 8.0);
        pen.text(&label, (frame.left - 8.0, y + ROW / 2.0), SMALL, GREY, RIGHT);
        draw_bar(pen, row, &bars.axis, frame, y + ROW / 2.0);
        y += ROW;
    }
}

fn draw_bar(pen: &Pen<'_>, row: &Bar, axis: &Axis, frame: Frame, middle: f64) {
    let (mut from, mut end) = (0.0, frame.left);
    for (hue, length) in &row.parts {
        let (left, right) = (frame.x(axis, from), frame.x(axis, from + length));
        pen.filled((left, middle - 9.0), (right, middle + 9.0), colour(*hue));
        pen.line(&[(right, middle - 9.0), (right, middle + 9.0)], plotters::style::WHITE, 1.0, 1);
        let inside = number(*length);
        if row.parts.len() > 1 && width(&inside, SMALL) + 8.0 < right - left {
            pen.text(&inside, (f64::midpoint(left, right), middle), SMALL, on(*hue), MIDDLE);
        }
        from += length;
        end = right;
    }
    for (i, dot) in row.dots.iter().enumerate() {
        let aside = [-5.0, 5.0][i % 2];
        pen.dot((frame.x(axis, *dot), middle + aside));
        end = f64::max(end, frame.x(axis, *dot) + 4.0);
    }
    if let Some((low, high)) = row.interval {
        pen.whisker((frame.x(axis, low), middle), (frame.x(axis, high), middle));
        end = f64::max(end, frame.x(axis, high));
    }
    pen.text(&row.text, (end + 8.0, middle), SMALL, INK, LEFT);
}
