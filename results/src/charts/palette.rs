//! Colours that people with colour-blindness tell apart (Okabe and Ito 2008), always paired with a
//! marker of another shape.

use plotters::style::RGBColor;

/// Text and axes.
pub const INK: RGBColor = RGBColor(34, 34, 34);
/// Captions and tick labels.
pub const GREY: RGBColor = RGBColor(90, 90, 90);
/// Grid lines.
pub const FAINT: RGBColor = RGBColor(222, 222, 222);

/// By hue: blue, vermillion, dark grey, green, orange, purple, sky, yellow.
const HUES: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(70, 70, 70),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(190, 175, 20),
];

/// The colour of a hue; hues beyond the last start again, with another marker.
#[must_use]
pub const fn colour(hue: usize) -> RGBColor {
    HUES[hue % HUES.len()]
}

/// The ink to be read on a hue: black where the hue is light.
#[must_use]
pub const fn on(hue: usize) -> RGBColor {
    match hue % HUES.len() {
        4..=7 => RGBColor(0, 0, 0),
        _ => RGBColor(255, 255, 255),
    }
}

/// The shape that goes with a hue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Filled circle.
    Circle,
    /// Filled triangle.
    Triangle,
    /// Filled square.
    Square,
    /// Filled diamond.
    Diamond,
    /// Two crossed strokes.
    Cross,
}

/// The marker of a hue; five shapes over eight colours make forty pairs.
#[must_use]
pub const fn marker(hue: usize) -> Marker {
    const MARKERS: [Marker; 5] =
        [Marker::Circle, Marker::Triangle, Marker::Square, Marker::Diamond, Marker::Cross];
    MARKERS[hue % MARKERS.len()]
}
