//! How wide text is, and where it wraps: a drawing that cannot ask a browser must know by itself.
//!
//! Widths are those of the embedded DejaVu Sans, rounded up a little by classes of letters.

/// The family named in every picture; the font itself is embedded where it is needed.
pub const FAMILY: &str = "DejaVu Sans, sans-serif";

/// Width of a text in pixels at a font size in pixels.
#[must_use]
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size
}

fn advance(c: char) -> f64 {
    match c {
        'i' | 'l' | 'j' | '\'' | '|' => 0.29,
        ' ' | '.' | ',' | ':' | ';' => 0.34,
        'f' | 't' | 'I' | '(' | ')' | '[' | ']' | '/' | '-' | 'J' => 0.4,
        'r' => 0.42,
        'c' | 's' | 'z' => 0.55,
        'a' | 'e' | 'k' | 'o' | 'v' | 'x' | 'y' | 'g' | 'L' | 'F' => 0.62,
        'm' | 'M' | 'W' | '%' | '@' => 1.0,
        'w' | '+' | '=' | '<' | '>' | 'G' | 'H' | 'N' | 'O' | 'Q' | 'D' => 0.84,
        c if c.is_uppercase() => 0.7,
        _ => 0.64,
    }
}

/// Lines of at most `room` pixels; the last of `lines` ends with an ellipsis if more would follow.
#[must_use]
pub fn wrap(text: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let (mut out, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&longer, size) > room && !line.is_empty() {
            out.push(std::mem::replace(&mut line, word.to_owned()));
        } else {
            line = longer;
        }
    }
    out.push(line);
    let cut = out.len() > lines;
    out.truncate(lines);
    let last = out.len();
    for (i, line) in out.iter_mut().enumerate() {
        let more = if cut && i + 1 == last { " …" } else { "" };
        *line = shorten(&format!("{line}{more}"), size, room);
    }
    out
}

/// Cuts a text that is too wide and ends it with an ellipsis.
#[must_use]
pub fn shorten(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept: String = text.trim_end_matches([' ', '…']).to_owned();
    while !kept.is_empty() && width(&kept, size) + size > room {
        kept.pop();
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_its_room() {
        let text = "a fairly long sentence with one unbreakableandterriblylongwordthatnoroomholds in it";
        for room in [90.0, 150.0, 400.0] {
            for line in wrap(text, 13.0, room, 3) {
                assert!(width(&line, 13.0) <= room, "{line}");
            }
        }
        assert_eq!(wrap("one two", 13.0, 400.0, 3), ["one two"]);
        assert!(wrap(text, 13.0, 90.0, 2)[1].ends_with('…'));
    }
}
