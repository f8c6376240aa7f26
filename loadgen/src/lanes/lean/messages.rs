//! What a lean client sends upward: by its voice on the stream, beside it, or on streams of HTTP/2.

use std::net::TcpStream;
use std::ops::Range;

use super::{Lean, sealed};
use crate::failure::Failure;
use crate::lanes::layer::Layer;
use crate::lanes::post::Post;
use crate::lanes::voice::{MAX_WAITING, Voice};

impl Lean {
    /// From now on it can send messages.
    pub fn speak(&mut self, voice: Voice) {
        self.voice = Some(Box::new(voice));
    }

    /// Whether it can send messages.
    #[must_use]
    pub const fn speaks(&self) -> bool {
        self.voice.is_some()
    }

    /// The clients that this connection serves, by their numbers.
    #[must_use]
    pub fn clients(&self) -> Range<u64> {
        self.clients.clone()
    }

    /// The socket beside the stream, where messages go upward on one.
    #[must_use]
    pub fn beside(&self) -> Option<&TcpStream> {
        self.post().map(Post::stream)
    }

    fn post(&self) -> Option<&Post> {
        self.voice.as_ref()?.beside()
    }

    /// Whether the answer to something it sent when it was due is awaited.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.layer.is_asking() || self.post().is_some_and(Post::is_asking)
    }

    /// Sends a client's message, or lets it wait; false when too much waits already.
    ///
    /// # Errors
    /// A socket is broken.
    pub fn say(&mut self, client: u64, number: u64) -> Result<bool, Failure> {
        let Self { voice: Some(voice), outgoing, tls, layer, clients, .. } = self else { return Ok(false) };
        let message = voice.message(client, number);
        if let Some(post) = voice.beside_mut() {
            let taken = post.queue(message);
            return self.ask().map(|()| taken);
        }
        if outgoing.len() + layer.outbox().map_or(0, |outbox| outbox.len()) > MAX_WAITING {
            return Ok(false);
        }
        let taken = match layer {
            Layer::Many(h2) if voice.opens_streams() => h2.post(client, message),
            Layer::Many(h2) => {
                let stream = usize::try_from(client - clients.start).expect("a client of this connection");
                let takes = h2.takes_words(stream);
                if takes {
                    h2.say(stream, &mut voice.write(client, &message));
                }
                takes
            }
            Layer::One(_) => {
                let mut frame = voice.write(client, &message);
                outgoing.append(&mut sealed(Some(&mut frame), tls.as_mut().map(|secured| &mut secured.tls))?);
                true
            }
            // Whoever has streams of its own sends no messages.
            Layer::Again(_) => false,
        };
        self.flush(false).map(|()| taken)
    }

    /// Takes the answers that came beside the stream, and sends what waited for them.
    ///
    /// # Errors
    /// What broke that connection.
    pub fn serve_beside(&mut self, over: bool) -> Result<(), Failure> {
        let Some(post) = self.voice.as_mut().and_then(|voice| voice.beside_mut()) else { return Ok(()) };
        post.serve(over)?;
        self.ask()
    }

    /// Sends the message whose turn it is, if any.
    fn ask(&mut self) -> Result<(), Failure> {
        let Some(voice) = &mut self.voice else { return Ok(()) };
        let Some(message) = voice.beside_mut().and_then(Post::turn) else { return Ok(()) };
        let request = voice.write(self.clients.start, &message);
        voice.beside_mut().map_or(Ok(()), |post| post.ask(request))
    }
}
