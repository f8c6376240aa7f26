//! A pen over plotters' SVG backend: text, lines, boxes and markers at places in pixels.
//!
//! Plotters' own axes guess the width of text and clip labels; placing everything here keeps every
//! chart legible, and every drawing error in one place.

use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::palette::{Marker, colour, marker};
use super::words::FAMILY;

/// A place, pixels from the left and from the top.
pub type Place = (f64, f64);

/// Draws on one picture.
pub struct Pen<'a>(DrawingArea<SVGBackend<'a>, plotters::coord::Shift>);

const SOUND: &str = "an SVG backend over a String does not fail";

fn pixel(place: Place) -> (i32, i32) {
    (place.0.round() as i32, place.1.round() as i32)
}

impl<'a> Pen<'a> {
    /// A white picture.
    pub fn new(svg: &'a mut String, size: (u32, u32)) -> Self {
        let area = SVGBackend::with_string(svg, size).into_drawing_area();
        area.fill(&plotters::style::WHITE).expect(SOUND);
        Self(area)
    }

    /// Text at a place; control characters, which XML does not know, become spaces.
    pub fn text(&self, text: &str, at: Place, size: f64, ink: RGBColor, anchor: (HPos, VPos)) {
        self.write(text, at, size, ink, anchor, FontTransform::None);
    }

    /// Text from bottom to top, centred.
    pub fn upright(&self, text: &str, at: Place, size: f64, ink: RGBColor) {
        self.write(text, at, size, ink, (HPos::Center, VPos::Center), FontTransform::Rotate270);
    }

    fn write(
        &self,
        text: &str,
        at: Place,
        size: f64,
        ink: RGBColor,
        anchor: (HPos, VPos),
        turn: FontTransform,
    ) {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Plotters divides sizes by 1.24 when it writes SVG.
        let font = (FAMILY, size * 1.24).into_font().transform(turn);
        let style = TextStyle::from(font).color(&ink).pos(Pos::new(anchor.0, anchor.1));
        self.0.draw_text(&clean, &style, pixel(at)).expect(SOUND);
    }

    /// A line through places.
    pub fn line(&self, places: &[Place], ink: RGBColor, opacity: f64, thickness: u32) {
        let style = ShapeStyle::from(ink.mix(opacity)).stroke_width(thickness);
        let places: Vec<(i32, i32)> = places.iter().map(|place| pixel(*place)).collect();
        if places.len() > 1 {
            self.0.draw(&PathElement::new(places, style)).expect(SOUND);
        }
    }

    /// The same in strokes of `on` pixels with `off` pixels between them.
    pub fn broken(&self, places: &[Place], ink: RGBColor, thickness: u32, (on, off): (f64, f64)) {
        let mut walked = 0.0;
        for ends in places.windows(2) {
            let (from, to) = (ends[0], ends[1]);
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let at = |along: f64| {
                let share = if length > 0.0 { along / length } else { 0.0 };
                (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
            };
            let mut along = 0.0;
            while along < length {
                let phase = (walked + along) % (on + off);
                let rest = if phase < on { on - phase } else { on + off - phase };
                let next = (along + rest.max(0.5)).min(length);
                if phase < on {
                    self.line(&[at(along), at(next)], ink, 1.0, thickness);
                }
                along = next;
            }
            walked += length;
        }
    }

    /// A filled box between two corners.
    pub fn filled(&self, from: Place, to: Place, ink: RGBColor) {
        self.0.draw(&Rectangle::new([pixel(from), pixel(to)], ink.filled())).expect(SOUND);
    }

    /// A small ring, filled white: one repetition.
    pub fn dot(&self, at: Place) {
        self.0.draw(&Circle::new(pixel(at), 3, plotters::style::WHITE.filled())).expect(SOUND);
        self.0.draw(&Circle::new(pixel(at), 3, super::palette::INK.stroke_width(1))).expect(SOUND);
    }

    /// An interval with ends.
    pub fn whisker(&self, from: Place, to: Place) {
        let ink = super::palette::INK;
        self.line(&[from, to], ink, 1.0, 2);
        for end in [from, to] {
            self.line(&[(end.0, end.1 - 5.0), (end.0, end.1 + 5.0)], ink, 1.0, 2);
        }
    }

    /// The marker of a hue.
    pub fn marker(&self, at: Place, hue: usize) {
        let (ink, r) = (colour(hue), 5.0);
        let corners = |offsets: &[(f64, f64)]| -> Vec<(i32, i32)> {
            offsets.iter().map(|(x, y)| pixel((at.0 + x * r, at.1 + y * r))).collect()
        };
        let filled = |offsets: &[(f64, f64)]| {
            self.0.draw(&Polygon::new(corners(offsets), ink.filled())).expect(SOUND);
        };
        match marker(hue) {
            Marker::Circle => self.0.draw(&Circle::new(pixel(at), 5, ink.filled())).expect(SOUND),
            Marker::Triangle => filled(&[(0.0, -1.2), (1.1, 0.9), (-1.1, 0.9)]),
            Marker::Square => filled(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            Marker::Diamond => filled(&[(0.0, -1.3), (1.1, 0.0), (0.0, 1.3), (-1.1, 0.0)]),
            Marker::Cross => {
                for (x, y) in [(1.0, 1.0), (1.0, -1.0)] {
                    let ends = [(at.0 - x * r, at.1 - y * r), (at.0 + x * r, at.1 + y * r)];
                    self.line(&ends, ink, 1.0, 3);
                }
            }
        }
    }

    /// Ends the picture.
    pub fn finish(self) {
        self.0.present().expect(SOUND);
    }
}
