//! Server-Sent Events, tuned: an event is framed once, and hyper adds the chunk lines.

use std::fmt::Write as _;

use bytes::Bytes;
use scenarios::Identity;

/// A comment (WHATWG HTML 9.2.7: "authors can include a comment line (one starting with a ':' character)
/// every 15 seconds or so").
pub const HEARTBEAT: &[u8] = b":\n";

/// Frames an event: the fields that its identity names, one `data` line a line of the body.
///
/// # Errors
/// A body that is not UTF-8 or holds a CR, which a reader would take for the end of a line.
pub fn frame(identity: Identity, seq: u64, event: &str, body: &[u8]) -> Result<Bytes, String> {
    let body = check(body)?;
    let mut out = String::with_capacity(body.len() + event.len() + 40);
    let (id, name) = match identity {
        Identity::None => (None, None),
        Identity::Id => (Some(seq), None),
        Identity::IdEvent => (Some(seq), Some(event)),
    };
    let infallible = "a String takes all";
    id.map_or(Ok(()), |id| writeln!(out, "id: {id}")).expect(infallible);
    name.map_or(Ok(()), |name| writeln!(out, "event: {name}")).expect(infallible);
    body.split('\n').try_for_each(|line| writeln!(out, "data: {line}")).expect(infallible);
    out.push('\n');
    Ok(out.into())
}

/// The body as text that SSE can carry unchanged (METHOD M8).
///
/// # Errors
/// A body that is not UTF-8 or holds a CR.
pub fn check(body: &[u8]) -> Result<&str, String> {
    match body.iter().position(|byte| *byte == b'\r') {
        Some(at) => Err(format!("cannot send a body with a CR (byte {at}) over SSE: it would arrive as LF")),
        None => super::text(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WHATWG HTML 9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html):
    /// "If the line is empty (a blank line) Dispatch the event"; "If the line contains a U+003A
    /// COLON character (:) Collect the characters on the line before the first U+003A COLON
    /// character (:), and let field be that string."
    #[test]
    fn golden_bytes() {
        let frame = |identity, body: &[u8]| frame(identity, 7, "quote", body);
        assert_eq!(frame(Identity::IdEvent, b"{}").unwrap(), "id: 7\nevent: quote\ndata: {}\n\n");
        assert_eq!(frame(Identity::Id, b"{}").unwrap(), "id: 7\ndata: {}\n\n");
        assert_eq!(frame(Identity::None, b"{}").unwrap(), "data: {}\n\n");
    }

    /// "append the field value to the data buffer, then append a single U+000A LINE FEED (LF)
    /// character to the data buffer": several data lines are one body.
    #[test]
    fn a_line_of_the_body_is_a_data_line() {
        assert_eq!(frame(Identity::None, 7, "quote", b"a\n\nb").unwrap(), "data: a\ndata: \ndata: b\n\n");
        assert_eq!(frame(Identity::None, 7, "quote", b"").unwrap(), "data: \n\n");
    }

    #[test]
    fn what_sse_cannot_carry_is_refused() {
        assert!(frame(Identity::None, 7, "quote", b"a\rb").unwrap_err().contains("byte 1"));
        assert!(frame(Identity::None, 7, "quote", b"\xff").is_err());
    }
}
