//! Whose pages may open a WebSocket here, or post a message.
//!
//! A browser sends cookies with a WebSocket of any site, and CORS does not apply (RFC 6455 10.2):
//! an `Origin` that is neither the `Host` nor explicitly allowed is refused with 403. A request
//! without one does not come from a browser, and is served.

use hyper::Uri;
use hyper::header::{HOST, HeaderMap, ORIGIN};
use hyper::http::uri::Authority;

/// Whether a WebSocket may be opened, or a message posted: no `Origin`, the `Host`'s own, or one that is allowed.
#[must_use]
pub fn origin_allowed(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|one| one.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    let (authority, port) = match origin.split_once("://") {
        Some(("http", authority)) => (authority, ":80"),
        Some(("https", authority)) => (authority, ":443"),
        Some(_) | None => return false,
    };
    // HTTP/2 has the host in the request's address (RFC 9113 8.3.1).
    let named = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = named.or(uri.authority().map(Authority::as_str)).unwrap_or_default();
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    !host.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn a_foreign_origin_is_refused() {
        let allowed = ["https://app.example.org".to_owned()];
        let may = |origin: Option<&'static str>, host: &'static str| {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
            let (no_uri, authority) = (Uri::from_static("/"), host.parse().unwrap_or_default());
            let named = origin_allowed(&headers, &no_uri, &allowed);
            headers.remove(HOST);
            assert_eq!(origin_allowed(&headers, &authority, &allowed), named, "HTTP/2 {origin:?} {host}");
            named
        };
        for (origin, host, expected) in [
            (None, "127.0.0.1:8080", true),
            (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
            (Some("http://Example.org"), "example.org:80", true),
            (Some("https://app.example.org"), "127.0.0.1:8080", true),
            (Some("http://127.0.0.1:8081"), "127.0.0.1:8080", false),
            (Some("http://evil.example"), "127.0.0.1:8080", false),
            (Some("http://127.0.0.1:8080.evil.example"), "127.0.0.1:8080", false),
            (Some("null"), "127.0.0.1:8080", false),
            (Some("file://"), "", false),
        ] {
            assert_eq!(may(origin, host), expected, "{origin:?} {host}");
        }
    }
}
