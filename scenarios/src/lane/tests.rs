//! Names read back, and what is no lane is answered with what is.

use super::*;

#[test]
fn every_lane_reads_back_from_its_name() {
    let names: Vec<String> = Lane::all().iter().map(ToString::to_string).collect();
    for (name, lane) in names.iter().zip(Lane::all()) {
        assert_eq!(name.parse(), Ok(lane));
        assert!(!lane.about().is_empty());
    }
    assert_eq!(
        names,
        [
            "sse-h1",
            "sse-h2",
            "ws-h1",
            "ws-h2",
            "raw",
            "longpoll-h1",
            "poll-h1",
            "longpoll-h2",
            "poll-h2",
            "sse-h1+gzip",
            "sse-h2+gzip",
            "sse-h1+gzip-buffered",
            "sse-h2+gzip-buffered",
            "ws-h1+deflate",
            "ws-h2+deflate",
            "ws-h1+deflate-stateless",
            "ws-h2+deflate-stateless",
            "sse-h2+mux",
            "ws-h2+mux",
            "sse-h2+gzip+mux",
            "sse-h2+gzip-buffered+mux",
            "ws-h2+deflate+mux",
            "ws-h2+deflate-stateless+mux",
            "sse-h1+tls",
            "sse-h2+tls",
            "ws-h1+tls",
            "ws-h2+tls",
            "raw+tls",
            "longpoll-h1+tls",
            "poll-h1+tls",
            "longpoll-h2+tls",
            "poll-h2+tls",
            "sse-h1+gzip+tls",
            "sse-h2+gzip+tls",
            "sse-h1+gzip-buffered+tls",
            "sse-h2+gzip-buffered+tls",
            "ws-h1+deflate+tls",
            "ws-h2+deflate+tls",
            "ws-h1+deflate-stateless+tls",
            "ws-h2+deflate-stateless+tls",
            "sse-h2+mux+tls",
            "ws-h2+mux+tls",
            "sse-h2+gzip+mux+tls",
            "sse-h2+gzip-buffered+mux+tls",
            "ws-h2+deflate+mux+tls",
            "ws-h2+deflate-stateless+mux+tls",
            "sse-h1@reqwest",
            "ws-h1@tungstenite",
            "sse-h1%axum",
            "ws-h1%axum",
            "sse-h1+tls%axum",
            "ws-h1+tls%axum",
            "sse-h1%axum@reqwest",
            "ws-h1%axum@tungstenite",
        ]
    );
}

#[test]
fn a_wrong_name_is_answered_with_the_nearest() {
    let error = "ssh-h1".parse::<Lane>().unwrap_err();
    assert!(error.contains("did you mean `sse-h1`?"), "{error}");
    assert!("sse-h1+gzap".parse::<Lane>().unwrap_err().contains("did you mean `sse-h1+gzip`?"));
    assert!(!"carrier-pigeon".parse::<Lane>().unwrap_err().contains("did you mean"));
}

#[test]
fn parts_that_do_not_combine_are_refused_by_name_with_the_lanes_that_have_them() {
    for (name, option, base) in [
        ("ws-h1+gzip", "+gzip", "sse-h1"),
        ("raw+gzip+tls", "+gzip", "sse-h1"),
        ("sse-h1+gzip%axum", "%axum", "sse-h1"),
        ("sse-h1+gzip@reqwest", "@reqwest", "sse-h1"),
        ("sse-h1+tls+gzip", "+gzip", "sse-h1"),
        ("sse-h1+deflate", "+deflate", "ws-h1"),
        ("raw+deflate-stateless", "+deflate-stateless", "ws-h1"),
        ("ws-h1+deflate@tungstenite", "@tungstenite", "ws-h1"),
    ] {
        let error = name.parse::<Lane>().unwrap_err();
        let expected = format!("there is no lane `{name}`: `{option}` goes with {base}");
        assert!(error.starts_with(&expected), "{error}");
    }
}

/// Why a poll has no `+mux` is not seen from a list of those that have it.
#[test]
fn many_streams_a_connection_are_refused_to_who_polls_with_the_reason() {
    for name in ["poll-h2+mux", "longpoll-h2+mux", "poll-h2+mux+tls"] {
        let error = name.parse::<Lane>().unwrap_err();
        let expected = format!(
            "there is no lane `{name}`: each poll is a stream of its own already, on its client's connection; `+mux` goes with sse-h2+mux, ws-h2+mux"
        );
        assert!(error.starts_with(&expected) && !error.contains("poll-h2+mux,"), "{error}");
    }
    // Over HTTP/1.1 there are no streams: the reason would be another.
    assert!("poll-h1+mux".parse::<Lane>().unwrap_err().contains(": `+mux` goes with sse-h2+mux"));
}
