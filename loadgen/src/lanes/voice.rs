//! How a lean client sends messages upward: as frames on its stream, or as requests.
//!
//! What a lane adds to a message is counted as it is written, layer by layer. What the peer does not
//! read waits up to a bound; beyond it a message is refused, and counted by whoever wanted it sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use scenarios::{Carrier, Transport, upstream};
use servers::websocket::deflate::{Context, Deflater, WINDOW_BITS};
use servers::websocket::frame::{Opcode, Role, write};

use super::post::Post;
use super::{Bytes, Target};
use crate::failure::Failure;

/// Bytes that may wait for the peer to read, on top of what the kernel holds.
pub const MAX_WAITING: usize = 24 * 1024;

/// Where messages go.
#[derive(Debug)]
enum Way {
    /// Masked text frames on the stream, compressed where that was agreed on: by a compressor a client.
    Frames(Option<(Context, BTreeMap<u64, Deflater>)>),
    /// Length-prefixed frames on the stream.
    Raw,
    /// Requests on a connection of their own.
    Post(Box<Post>),
    /// Requests on streams of the same connection, which counts them.
    Streams,
}

/// What the clients of one connection send with.
#[derive(Debug)]
pub struct Voice {
    bodies: Arc<Vec<Vec<u8>>>,
    way: Way,
    counts: Bytes,
}

impl Voice {
    /// A voice for a lane; on one whose stream cannot carry messages, with a connection beside it.
    ///
    /// # Errors
    /// That connection cannot be made.
    pub async fn connect(target: &Target, bodies: Arc<Vec<Vec<u8>>>) -> Result<Self, Failure> {
        let lane = target.lane;
        let way = match (lane.transport, lane.carrier) {
            (Transport::Ws, _) => {
                let context = |takeover| Context { takeover, window_bits: WINDOW_BITS };
                Way::Frames(lane.coding.takeover().map(|takeover| (context(takeover), BTreeMap::new())))
            }
            (Transport::Raw, _) => Way::Raw,
            (_, Carrier::H2) => Way::Streams,
            (_, Carrier::H1 | Carrier::Tcp) => Way::Post(Box::new(Post::connect(target).await?)),
        };
        Ok(Self { bodies, way, counts: Bytes::default() })
    }

    /// Whether messages are requests on streams of the same connection.
    #[must_use]
    pub const fn opens_streams(&self) -> bool {
        matches!(self.way, Way::Streams)
    }

    /// The connection beside the stream, where there is one.
    #[must_use]
    pub const fn beside(&self) -> Option<&Post> {
        match &self.way {
            Way::Post(post) => Some(post),
            Way::Frames(_) | Way::Raw | Way::Streams => None,
        }
    }

    /// The same, to work with.
    pub const fn beside_mut(&mut self) -> Option<&mut Post> {
        match &mut self.way {
            Way::Post(post) => Some(post),
            Way::Frames(_) | Way::Raw | Way::Streams => None,
        }
    }

    /// A client's message: its number, a line end and its body.
    #[must_use]
    pub fn message(&self, client: u64, number: u64) -> Vec<u8> {
        [upstream::head(number).as_bytes(), &self.bodies[upstream::body_of(client, number)]].concat()
    }

    /// A message as it travels on this lane, counted as sent.
    pub fn write(&mut self, client: u64, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(message.len() + 16);
        let mut carried = layers(message);
        match &mut self.way {
            Way::Frames(None) => write(&mut out, Role::Client, Opcode::Text, false, message),
            Way::Frames(Some((context, deflaters))) => {
                let coded =
                    deflaters.entry(client).or_insert_with(|| Deflater::new(*context)).message(message);
                carried = Bytes { up_coded: coded.len() as u64, messages: 1, ..Bytes::default() };
                write(&mut out, Role::Client, Opcode::Text, true, &coded);
            }
            Way::Raw => {
                let length = u32::try_from(message.len()).expect("the scenario bounds a message");
                out.extend(length.to_be_bytes());
                out.extend_from_slice(message);
            }
            Way::Post(post) => {
                out.extend_from_slice(post.head(client, message.len()).as_bytes());
                out.extend_from_slice(message);
            }
            Way::Streams => unreachable!("the connection writes what goes on its streams"),
        }
        carried.up_transport = out.len() as u64 - carried.up_payload - carried.up_framing - carried.up_coded;
        self.counts = self.counts + carried;
        out
    }

    /// Bytes upward by layer, and those of the connection beside the stream.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        self.beside().map_or(self.counts, |post| self.counts + post.counts())
    }
}

/// The layers of a message that travels as it is.
#[must_use]
pub fn layers(message: &[u8]) -> Bytes {
    let body = upstream::read(message).map_or(0, |(_, body)| body.len());
    Bytes {
        messages: 1,
        up_payload: body as u64,
        up_framing: (message.len() - body) as u64,
        ..Bytes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use servers::websocket::deflate::Inflater;

    fn written(way: Way) -> (Vec<u8>, Bytes) {
        let mut voice = Voice { bodies: Arc::new(vec![b"hi".to_vec(); 512]), way, counts: Bytes::default() };
        let message = voice.message(7, 12);
        (voice.write(7, &message), voice.counts())
    }

    fn unmasked(frame: &[u8]) -> Vec<u8> {
        frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    /// RFC 6455 5.2 and 5.3: FIN and opcode 1, the mask bit and a length of 5, the key, and each octet
    /// XORed with the key's. RFC 7692 6: RSV1 says that a message is compressed.
    #[test]
    fn golden_bytes() {
        let (frame, counts) = written(Way::Frames(None));
        assert_eq!((&frame[..2], &unmasked(&frame)[..]), (&b"\x81\x85"[..], &b"12\nhi"[..]));
        let plain = Bytes { messages: 1, up_payload: 2, up_framing: 3, ..Bytes::default() };
        assert_eq!(counts, Bytes { up_transport: 6, ..plain });
        let (frame, counts) = written(Way::Raw);
        assert_eq!((&frame[..], counts), (&b"\0\0\0\x0512\nhi"[..], Bytes { up_transport: 4, ..plain }));

        let context = Context { takeover: false, window_bits: WINDOW_BITS };
        let (frame, counts) = written(Way::Frames(Some((context, BTreeMap::new()))));
        let coded = unmasked(&frame);
        assert_eq!((frame[0], usize::from(frame[1] & 0x7F)), (0xC1, coded.len()));
        let read = |plain: &[u8]| Ok(plain.to_vec());
        assert_eq!(Inflater::new(context).message(&coded, 100, read).unwrap(), b"12\nhi");
        let coded = coded.len() as u64;
        assert_eq!(counts, Bytes { messages: 1, up_coded: coded, up_transport: 6, ..Bytes::default() });
    }
}
