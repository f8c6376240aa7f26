//! A connection beside a stream that cannot carry messages upward: one `POST` after the other, kept alive.
//!
//! Like a browser's HTTP/1.1 connection it has one request under way; a message that comes meanwhile
//! waits for the answer, and that wait is part of its latency, for the transport causes it. The head is
//! as small as the stream's own request.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use httparse::Response;
use tokio::io::AsyncWriteExt as _;

use super::handshake::{MAX_HEADERS, UP_PATH, head};
use super::lean::read_answer;
use super::tls::Tls;
use super::{Bytes, READ_BUFFER, Target, scratch};
use crate::dial::dial;
use crate::failure::Failure;

/// Messages that may wait for an answer.
const MAX_WAITING: usize = 256;

/// One client's connection for requests.
#[derive(Debug)]
pub struct Post {
    stream: TcpStream,
    tls: Option<Box<Tls>>,
    host: SocketAddr,
    /// Messages that wait until the request under way is answered.
    waiting: VecDeque<Vec<u8>>,
    is_asking: bool,
    outgoing: Vec<u8>,
    /// What came of an answer.
    rest: Vec<u8>,
    up: u64,
    received: u64,
    handshake: Bytes,
}

impl Post {
    /// Connects; inside TLS, its handshake too.
    ///
    /// # Errors
    /// No connection, or no valid handshake.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let mut stream = dial(target.address, target.source, &target.scenario).await?;
        let (mut tls, mut handshake) = (None, Bytes::default());
        if let Some(config) = &target.tls {
            let mut secured = Box::new(Tls::new(Arc::clone(config), target.address.ip(), Vec::new())?);
            let mut nothing = Vec::new();
            loop {
                let sealed = std::mem::take(secured.sealed());
                stream.write_all(&sealed).await?;
                handshake.handshake_up += sealed.len() as u64;
                if secured.is_open() {
                    break;
                }
                read_answer(&stream, Some(&mut secured), &mut nothing).await?;
            }
            handshake.handshake_down = secured.received();
            tls = Some(secured);
        }
        Ok(Self {
            stream: stream.into_std()?,
            tls,
            host: target.address,
            waiting: VecDeque::new(),
            is_asking: false,
            outgoing: Vec::new(),
            rest: Vec::new(),
            up: 0,
            received: 0,
            handshake,
        })
    }

    /// The head of a request with a message of so many bytes.
    #[must_use]
    pub fn head(&self, client: u64, length: usize) -> String {
        let host = self.host;
        format!("POST {UP_PATH}?client={client} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n")
    }

    /// The socket.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether an answer is awaited.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        self.is_asking
    }

    /// Lets a message wait for its turn; false when too many do.
    pub fn queue(&mut self, message: Vec<u8>) -> bool {
        let has_room = self.waiting.len() < MAX_WAITING;
        if has_room {
            self.waiting.push_back(message);
        }
        has_room
    }

    /// The message whose turn it is, if the connection is free.
    pub fn turn(&mut self) -> Option<Vec<u8>> {
        if self.is_asking { None } else { self.waiting.pop_front() }
    }

    /// Sends a whole request.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn ask(&mut self, mut request: Vec<u8>) -> Result<(), Failure> {
        self.is_asking = true;
        match &mut self.tls {
            None => self.outgoing.append(&mut request),
            Some(tls) => tls.seal(request)?,
        }
        self.flush()
    }

    /// Takes what the socket has: answers.
    ///
    /// # Errors
    /// The connection ended, or an answer is not 204.
    pub fn serve(&mut self, over: bool) -> Result<(), Failure> {
        self.flush()?;
        let Self { stream, tls, rest, received, .. } = self;
        loop {
            let taken = scratch::read(stream, false, |bytes, _| {
                *received += bytes.len() as u64;
                let more = over || bytes.len() == READ_BUFFER;
                let fed = match (bytes.is_empty(), &mut *tls) {
                    (true, _) => Err(Failure::Ended),
                    (false, None) => {
                        rest.extend_from_slice(bytes);
                        Ok(())
                    }
                    (false, Some(tls)) => tls.open(bytes, |plain, _| {
                        rest.extend_from_slice(plain);
                        Ok(())
                    }),
                };
                fed.map(|()| more)
            });
            match taken {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break,
                Ok(Err(failure)) => return Err(failure),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                Err(err) => return Err(err.into()),
            }
        }
        self.answered()?;
        self.flush()
    }

    /// Takes the answers that are complete.
    fn answered(&mut self) -> Result<(), Failure> {
        while !self.rest.is_empty() {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut response = Response::new(&mut headers);
            let Some(length) = head(&mut response, &self.rest)? else { break };
            match response.code {
                Some(204) if self.is_asking => {}
                Some(204) | None => return Err(Failure::Protocol("an answer to no request".into())),
                Some(code) => return Err(Failure::Status(code)),
            }
            self.is_asking = false;
            self.rest.drain(..length);
        }
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if let Some(tls) = &mut self.tls {
            self.outgoing.append(tls.sealed());
        }
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                written => {
                    let written = written?;
                    self.outgoing.drain(..written);
                    self.up += written as u64;
                }
            }
        }
        Ok(())
    }

    /// What it sent, what came as answers, and its handshake.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        Bytes { up: self.up, answers: self.received, ..self.handshake }
    }
}
