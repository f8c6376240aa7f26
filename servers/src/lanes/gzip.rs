//! The gzip coding of an event stream (RFC 1952): a stream a connection, flushed behind every event, or
//! left to itself.
//!
//! A compressor's window is its connection's own history, so what it makes of an event is shared with
//! nobody: every delivery is compressed for itself. Level and window are zlib's defaults, as web
//! frameworks' middleware leaves them. Without a flush an event waits until the compressor has a block
//! full, which takes thousands of them: the fault that holds events back.

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};
use futures_util::{Stream, StreamExt as _};
use hyper::header::{ACCEPT_ENCODING, HeaderMap};
use scenarios::Coding;

/// zlib's default.
pub const LEVEL: u32 = 6;

/// Base-2 logarithm of the window, bytes: the largest there is, zlib's default.
pub const WINDOW_BITS: u8 = 15;

/// Room for what a compressor adds to an event at most: header, block headers, the empty block of a
/// flush, trailer.
const OVERHEAD: usize = 64;

/// What happens behind an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It leaves at once.
    EachEvent,
    /// It leaves when the compressor's buffer is full.
    Never,
}

impl Flush {
    /// How a lane's coding treats an event stream; the codings of messages are no matter of its response.
    #[must_use]
    pub const fn of(coding: Coding) -> Option<Self> {
        match coding {
            Coding::Gzip => Some(Self::EachEvent),
            Coding::GzipBuffered => Some(Self::Never),
            Coding::Plain | Coding::Deflate | Coding::DeflateStateless => None,
        }
    }
}

/// Whether a client takes gzip (RFC 9110 12.5.3).
#[must_use]
pub fn accepted(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |weight: &str| {
            let weight = weight.to_ascii_lowercase();
            weight.strip_prefix("q=").and_then(|q| q.parse().ok()).is_some_and(|q: f32| q == 0.0)
        };
        named && !parts.any(refused)
    })
}

/// Events as one gzip stream.
pub fn body<E>(events: E, flush: Flush) -> impl Stream<Item = Bytes> + Send + 'static
where
    E: Stream<Item = Bytes> + Send + Unpin + 'static,
{
    let compress = Compress::new_gzip(Compression::new(LEVEL), WINDOW_BITS);
    let flush = match flush {
        Flush::EachEvent => FlushCompress::Sync,
        Flush::Never => FlushCompress::None,
    };
    futures_util::stream::unfold(Some((events, compress)), move |open| async move {
        let (mut events, mut compress) = open?;
        while let Some(event) = events.next().await {
            let coded = code(&mut compress, &event, flush);
            if !coded.is_empty() {
                return Some((coded.into(), Some((events, compress))));
            }
        }
        Some((code(&mut compress, &[], FlushCompress::Finish).into(), None))
    })
}

/// Compresses `plain`, and gives what is ready then.
fn code(compress: &mut Compress, mut plain: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut coded = Vec::with_capacity(plain.len() + OVERHEAD);
    loop {
        let before = compress.total_in();
        let status = compress.compress_vec(plain, &mut coded, flush).expect("a compressor takes any bytes");
        let taken = usize::try_from(compress.total_in() - before).expect("no more than there was");
        plain = &plain[taken..];
        // It stops with room left only when it has done all.
        if status == Status::StreamEnd || coded.len() < coded.capacity() {
            return coded;
        }
        coded.reserve(OVERHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Hub;
    use flate2::{Decompress, FlushDecompress};
    use futures_util::FutureExt as _;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    /// What a reader has of these pieces.
    fn read(pieces: &[Bytes]) -> (Vec<u8>, bool) {
        let mut decompress = Decompress::new_gzip(WINDOW_BITS);
        let (coded, mut plain) = (pieces.concat(), Vec::with_capacity(1 << 22));
        let status = decompress.decompress_vec(&coded, &mut plain, FlushDecompress::Sync).unwrap();
        (plain, status == Status::StreamEnd)
    }

    /// Lock-step: the next event only after the last one arrived.
    #[test]
    fn a_flushed_event_arrives_whole_when_it_is_sent() {
        let hub = Hub::new(4);
        let mut body = Box::pin(body(hub.subscribe().unwrap(), Flush::EachEvent));
        let (mut pieces, mut sent) = (Vec::new(), Vec::new());
        for n in 0..50 {
            let event = format!("id: {n}\nevent: quote\ndata: {{\"price\":{n}}}\n\n");
            hub.publish(n, event.clone().into());
            sent.extend_from_slice(event.as_bytes());
            pieces.push(body.next().now_or_never().expect("an event leaves at once").unwrap());
            assert_eq!(read(&pieces), (sent.clone(), false));
        }
        hub.close();
        pieces.push(body.next().now_or_never().unwrap().unwrap());
        assert_eq!((read(&pieces), body.next().now_or_never()), ((sent, true), Some(None)));
    }

    #[test]
    fn without_a_flush_events_wait_for_later_ones() {
        let hub = Hub::new(4096);
        let mut body = Box::pin(body(hub.subscribe().unwrap(), Flush::Never));
        hub.publish(0, "data: first\n\n".into());
        // The header of the stream is all that leaves.
        let head = body.next().now_or_never().flatten();
        assert_eq!(read(&head.into_iter().collect::<Vec<_>>()).0, b"");
        (1..100).for_each(|n| hub.publish(n, format!("data: {n}\n\n").into()));
        assert!(body.next().now_or_never().is_none());
    }

    /// RFC 9110 12.5.3: "Accept-Encoding: gzip;q=1.0, identity; q=0.5, *;q=0"; "a qvalue of 0 is
    /// [...] 'not acceptable'". <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3>
    #[test]
    fn who_takes_gzip() {
        for (value, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(accepted(&headers), takes, "{value}");
        }
        assert!(!accepted(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(events in proptest::collection::vec(any::<Vec<u8>>(), 0..20), flushed: bool) {
            let hub = Hub::new(64);
            let flush = if flushed { Flush::EachEvent } else { Flush::Never };
            let body = body(hub.subscribe().unwrap(), flush);
            (0..).zip(&events).for_each(|(seq, event)| hub.publish(seq, event.clone().into()));
            hub.close();
            let pieces: Vec<Bytes> = body.collect().now_or_never().unwrap();
            prop_assert_eq!(read(&pieces), (events.concat(), true));
        }
    }
}
