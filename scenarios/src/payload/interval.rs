//! The tutorials' interval stream: a time and a count, one a second.

use super::stamp;

/// One tick. Its time is that of its number, not of a clock.
pub fn body(seq: u64) -> String {
    format!(r#"{{"time":"{}","count":{seq}}}"#, stamp(seq * 1_000))
}

#[cfg(test)]
mod tests {
    #[test]
    fn golden_bytes() {
        assert_eq!(super::body(0), r#"{"time":"2025-01-01T08:00:00.000Z","count":0}"#);
        assert_eq!(super::body(61), r#"{"time":"2025-01-01T08:01:01.000Z","count":61}"#);
    }
}
