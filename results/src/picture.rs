//! PNG from the same SVG that the report shows, with the embedded font: no system font is looked for,
//! so a picture is the same on every machine.

use anyhow::{Context, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// A subset of DejaVu Sans (licence beside it).
pub const FONT: &[u8] = include_bytes!("charts/font/DejaVuSans-subset.ttf");

/// Pixels of the picture for one of the drawing, for sharp screens.
const SCALE: f32 = 2.0;

/// Draws an SVG.
///
/// # Errors
/// The text is no SVG or has no size.
pub fn png(svg: &str) -> Result<Vec<u8>> {
    let mut options = Options { font_family: "DejaVu Sans".into(), ..Options::default() };
    options.fontdb_mut().load_font_data(FONT.to_vec());
    options.fontdb_mut().set_sans_serif_family("DejaVu Sans");
    let tree = Tree::from_str(svg, &options).context("cannot read the chart's SVG")?;
    let size = tree.size().to_int_size().scale_by(SCALE).context("cannot scale the chart")?;
    let mut picture =
        Pixmap::new(size.width(), size.height()).context("cannot draw a chart without a size")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    picture.encode_png().context("cannot encode the chart as PNG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_font_draws_text() {
        let text = |words| {
            format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='20'>\
                 <text x='0' y='15' font-family='DejaVu Sans, sans-serif'>{words}</text></svg>"
            )
        };
        let png = |words| png(&text(words)).unwrap();
        assert!(png("µ").starts_with(b"\x89PNG"));
        assert_ne!(png("p99"), png(""));
    }

    #[test]
    fn what_is_no_svg_is_refused() {
        assert!(format!("{:#}", png("<html").unwrap_err()).starts_with("cannot read the chart's SVG"));
    }
}
