//! What is said of a connection rather than on a stream: its first words, requests, and the frames that
//! steer it (RFC 9113 3.4 and 6.3 to 6.9).

use scenarios::http2::{FIRST_WINDOW, FRAME_BYTES, HEAD_BYTES, MAX_WINDOW};

use super::frame::{self, Broken, Head, Kind};
use super::stream::{self, State, Stream};
use super::{Fault, H2, Told};
use crate::failure::Failure;
use crate::lanes::handshake::Handshake;
use crate::lanes::voice::MAX_WAITING;

/// The settings that there are (RFC 9113 6.5.2).
const HEADER_TABLE_SIZE: u16 = 0x1;
const ENABLE_PUSH: u16 = 0x2;
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;
/// RFC 8441 9.1.
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

impl H2 {
    /// The preface, the settings, and the connection's window.
    pub(super) fn begin_connection(&mut self) {
        self.outbox.extend_from_slice(frame::PREFACE);
        let settings = [
            (ENABLE_PUSH, 0),
            (INITIAL_WINDOW_SIZE, self.settings.stream_window_bytes),
            (MAX_FRAME_SIZE, self.settings.max_frame_bytes),
            (MAX_HEADER_LIST_SIZE, HEAD_BYTES),
        ];
        let pair = |(id, value): (u16, u32)| id.to_be_bytes().into_iter().chain(value.to_be_bytes());
        let payload: Vec<u8> = settings.into_iter().flat_map(pair).collect();
        frame::write(&mut self.outbox, Kind::Settings, 0, 0, &payload);
        let more = self.settings.connection_window_bytes.saturating_sub(FIRST_WINDOW);
        if more > 0 {
            frame::write(&mut self.outbox, Kind::WindowUpdate, 0, 0, &more.to_be_bytes());
        }
    }

    /// Requests a stream.
    pub(super) fn ask(&mut self, number: usize) {
        // Streams beyond those of the target ask once more for its first.
        let of = if number < self.target.streams { number } else { 0 };
        let block = self.heads.encode(&Handshake::fields(&self.target, of));
        let speaks = self.is_two_way();
        let flags = frame::END_HEADERS | if speaks { 0 } else { frame::END_STREAM };
        frame::write(&mut self.outbox, Kind::Headers, flags, stream::id(number), &block);
        let stream = &mut self.streams[number];
        (stream.state, stream.speaks) = (State::Asked, speaks);
    }

    /// Asks for the first stream once the peer has said that it may be asked for.
    fn ask_if_it_may(&mut self, hear: &mut impl FnMut(Told<'_>)) {
        if self.streams[0].was_asked() {
            return;
        }
        if self.peer.connects {
            return self.ask(0);
        }
        let lacks = "HTTP/2: the server's settings lack ENABLE_CONNECT_PROTOCOL: it takes no WebSocket";
        let failure = Failure::Protocol(lacks.into());
        for number in 0..self.streams.len() {
            self.over(number, State::Ended, &failure, hear);
        }
    }

    /// Sends what a stream has to say, as far as the peer's windows let it; the rest waits for them.
    pub(super) fn speak(&mut self, number: usize) {
        let Self { streams, peer, outbox, counts, .. } = self;
        let stream = &mut streams[number];
        while stream.speaks {
            let room = peer.window.room().min(stream.sending.room()).min(FRAME_BYTES as usize);
            let Some(words) = stream.outbox() else { return };
            let length = words.len().min(room);
            if length == 0 {
                return;
            }
            frame::write(outbox, Kind::Data, 0, stream::id(number), &words[..length]);
            words.drain(..length);
            if stream.says {
                counts.up_transport += frame::HEADER as u64;
            }
            let sent = peer.window.send(length) && stream.sending.send(length);
            debug_assert!(sent, "there was room in both windows");
        }
    }

    /// Whether a stream takes words of its client: it is open, and not too many wait for its window.
    pub fn takes_words(&mut self, number: usize) -> bool {
        let stream = self.streams.get_mut(number).filter(|stream| stream.speaks);
        stream.and_then(Stream::outbox).is_some_and(|words| words.len() <= MAX_WAITING)
    }

    /// Sends words on a stream, or lets them wait for its window.
    pub fn say(&mut self, number: usize, words: &mut Vec<u8>) {
        let stream = &mut self.streams[number];
        stream.says = true;
        if let Some(outbox) = stream.outbox() {
            outbox.append(words);
            self.speak(number);
        }
    }

    /// A window is wider: whatever waited for it goes on.
    fn speak_all(&mut self) {
        (0..self.streams.len()).for_each(|number| self.speak(number));
    }

    /// Says the last on a stream: RFC 8441 5, an orderly closure is END_STREAM.
    pub(super) fn hush(&mut self, number: usize) {
        self.speak(number);
        if std::mem::take(&mut self.streams[number].speaks) {
            frame::write(&mut self.outbox, Kind::Data, frame::END_STREAM, stream::id(number), &[]);
        }
    }

    /// Requests the other streams once the first is open: by then the peer has said how many it takes.
    pub(super) fn ask_the_rest(&mut self, hear: &mut impl FnMut(Told<'_>)) {
        for number in 1..self.streams.len() {
            if self.streams[number].was_asked() {
                continue;
            }
            if number < self.peer.max_streams as usize {
                self.ask(number);
            } else {
                let most = self.peer.max_streams;
                let failure =
                    Failure::Protocol(format!("HTTP/2: the server takes {most} streams a connection"));
                self.over(number, State::Ended, &failure, hear);
            }
        }
    }

    /// A frame that is neither a body nor a head.
    pub(super) fn control(
        &mut self,
        kind: Kind,
        head: Head,
        payload: &[u8],
        hear: &mut impl FnMut(Told<'_>),
    ) -> Result<(), Fault> {
        match kind {
            Kind::Settings if head.has(frame::ACK) && payload.is_empty() => {}
            Kind::Settings if head.has(frame::ACK) => {
                return Err((frame::FRAME_SIZE_ERROR, "an acknowledgement of settings is not empty").into());
            }
            Kind::Settings => {
                self.settle(payload)?;
                self.ask_if_it_may(hear);
                self.speak_all();
            }
            Kind::Ping if head.has(frame::ACK) => {}
            Kind::Ping => frame::write(&mut self.outbox, Kind::Ping, frame::ACK, 0, payload),
            Kind::WindowUpdate => {
                self.widen(head.stream, frame::number(payload) & MAX_WINDOW)?;
                self.speak_all();
                self.send_waiting();
            }
            Kind::RstStream => return self.reset(head.stream, frame::number(payload), hear),
            Kind::GoAway => return self.go_away(payload, hear),
            Kind::PushPromise => {
                return Err((frame::PROTOCOL_ERROR, "a push, which was switched off").into());
            }
            // RFC 9113 5.3.2: deprecated.
            Kind::Priority => {}
            Kind::Data | Kind::Headers | Kind::Continuation => unreachable!("they are no control frames"),
        }
        Ok(())
    }

    /// The peer's settings, in their order, and the answer to them.
    fn settle(&mut self, payload: &[u8]) -> Result<(), Broken> {
        if !payload.len().is_multiple_of(6) {
            return Err((frame::FRAME_SIZE_ERROR, "settings are no list of six bytes each"));
        }
        self.peer.begun = true;
        for pair in payload.chunks_exact(6) {
            let (id, value) = (u16::from_be_bytes([pair[0], pair[1]]), frame::number(&pair[2..]));
            match id {
                HEADER_TABLE_SIZE => self.heads.limit(value),
                ENABLE_PUSH if value != 0 => {
                    return Err((frame::PROTOCOL_ERROR, "a server may not enable pushing"));
                }
                MAX_CONCURRENT_STREAMS => self.peer.max_streams = value,
                // RFC 8441 3: "The value of the parameter MUST be 0 or 1"; "MUST NOT send a
                // SETTINGS_ENABLE_CONNECT_PROTOCOL parameter with the value of 0 after previously sending
                // a value of 1".
                ENABLE_CONNECT_PROTOCOL if value > 1 || self.peer.connects && value == 0 => {
                    return Err((frame::PROTOCOL_ERROR, "extended CONNECT is neither taken nor not"));
                }
                ENABLE_CONNECT_PROTOCOL => self.peer.connects = value == 1,
                INITIAL_WINDOW_SIZE => self.first_window(value)?,
                MAX_FRAME_SIZE if !(FRAME_BYTES..1 << 24).contains(&value) => {
                    return Err((frame::PROTOCOL_ERROR, "the largest frame is none that may be"));
                }
                // RFC 9113 6.5.2: "An endpoint that receives a SETTINGS frame with any unknown or
                // unsupported identifier MUST ignore that setting."
                _ => {}
            }
        }
        frame::write(&mut self.outbox, Kind::Settings, frame::ACK, 0, &[]);
        Ok(())
    }

    /// RFC 9113 6.9.2: "a receiver MUST adjust the size of all stream flow-control windows that it
    /// maintains by the difference between the new value and the old value."
    fn first_window(&mut self, size: u32) -> Result<(), Broken> {
        const TOO_LARGE: Broken = (frame::FLOW_CONTROL_ERROR, "a window is larger than 2^31-1");
        if size > MAX_WINDOW {
            return Err(TOO_LARGE);
        }
        let difference = i64::from(size) - i64::from(self.peer.first_window);
        self.peer.first_window = size;
        let all_fit = self.streams.iter_mut().all(|stream| stream.sending.change(difference));
        if all_fit { Ok(()) } else { Err(TOO_LARGE) }
    }

    fn widen(&mut self, id: u32, increment: u32) -> Result<(), Broken> {
        if increment == 0 {
            return Err((frame::PROTOCOL_ERROR, "a window is widened by nothing"));
        }
        let window = match id {
            0 => &mut self.peer.window,
            // A message fits the window that its stream began with, and a poll sends nothing.
            id if self.is_post(id) || self.is_past(id) => return Ok(()),
            id => {
                let number = self.asked(id)?;
                &mut self.streams[number].sending
            }
        };
        match window.change(i64::from(increment)) {
            true => Ok(()),
            false => Err((frame::FLOW_CONTROL_ERROR, "a window is larger than 2^31-1")),
        }
    }

    fn reset(&mut self, id: u32, code: u32, hear: &mut impl FnMut(Told<'_>)) -> Result<(), Fault> {
        if self.is_post(id) {
            return Err(Fault::Failed(Failure::StreamReset(frame::error_name(code))));
        }
        if self.is_past(id) {
            return Ok(());
        }
        let number = self.asked(id)?;
        self.over(number, State::Ended, &Failure::StreamReset(frame::error_name(code)), hear);
        Ok(())
    }

    /// RFC 9113 6.8: streams above the last one that the peer names were not processed; the others may
    /// go on to their end, unless the peer names an error.
    fn go_away(&mut self, payload: &[u8], hear: &mut impl FnMut(Told<'_>)) -> Result<(), Fault> {
        let (last, code) = (frame::number(payload) & MAX_WINDOW, frame::number(&payload[4..]));
        let failure = Failure::GoAway(frame::error_name(code));
        if code != 0 {
            return Err(Fault::Failed(failure));
        }
        for number in 0..self.streams.len() {
            if self.id(number) > last {
                self.over(number, State::Ended, &failure, hear);
            }
        }
        self.stop_polling(hear);
        Ok(())
    }

    /// The number of a stream that was asked for (RFC 9113 5.1: anything else on an idle stream is a
    /// connection error of type PROTOCOL_ERROR).
    fn asked(&self, id: u32) -> Result<usize, Broken> {
        let number = self.number(id).filter(|number| self.streams[*number].was_asked());
        number.ok_or((frame::PROTOCOL_ERROR, "a frame on a stream that was never opened"))
    }
}
