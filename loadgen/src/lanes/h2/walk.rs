//! The walk over what was received: frame by frame, each byte into its layer, DATA to its stream's decoder
//! and heads to their response (RFC 9113 4.1, 6.1, 6.2 and 8.1).

use super::frame::{self, Broken, HEADER, Head, Kind};
use super::hpack;
use super::polls::Polls;
use super::stream::{self, State};
use super::{At, Block, Fault, H2, MAX_BLOCK, MAX_OUTBOX, Part, Told, Under};
use crate::failure::Failure;

impl H2 {
    /// Takes the next piece: a frame's head, or as much as there is of its payload.
    pub(super) fn step(&mut self, input: &[u8], hear: &mut impl FnMut(Told<'_>)) -> Result<usize, Failure> {
        if let Some(failure) = &self.over {
            self.received += input.len() as u64;
            return Err(failure.clone());
        }
        let walked = self.walk(input, hear).map_err(|fault| match fault {
            Fault::Failed(failure) => failure,
            Fault::Broken((code, reason)) => {
                let last = [0u32.to_be_bytes(), code.to_be_bytes()].concat();
                frame::write(&mut self.outbox, Kind::GoAway, 0, 0, &last);
                Failure::Protocol(format!("HTTP/2: {reason}"))
            }
        });
        let walked = walked.and_then(|taken| match self.live().next() {
            None if !self.keeps => Err(Failure::Ended),
            Some(_) | None => Ok(taken),
        });
        walked.inspect_err(|failure| self.over = Some(failure.clone()))
    }

    pub(super) fn walk(&mut self, input: &[u8], hear: &mut impl FnMut(Told<'_>)) -> Result<usize, Fault> {
        match &mut self.at {
            At::Head(bytes, have) => {
                let taken = input.len().min(HEADER - *have);
                bytes[*have..*have + taken].copy_from_slice(&input[..taken]);
                *have += taken;
                self.received += taken as u64;
                if *have == HEADER {
                    let head = Head::read(*bytes)?;
                    let under = self.begin(head)?;
                    let is_empty = under.left == 0;
                    self.at = At::Frame(under);
                    if is_empty {
                        self.end(hear)?;
                    }
                }
                Ok(taken)
            }
            At::Frame(under) => {
                let taken = input.len().min(under.left);
                under.left -= taken;
                let is_whole = under.left == 0;
                if under.head.kind == Some(Kind::Data) {
                    self.data(&input[..taken], hear)?;
                } else {
                    self.other(&input[..taken]);
                }
                if is_whole {
                    self.end(hear)?;
                }
                Ok(taken)
            }
        }
    }

    /// A frame's head: whether it may come now, and which layer it belongs to.
    pub(super) fn begin(&mut self, head: Head) -> Result<Under, Broken> {
        let awaited = self.block.as_ref().map(|block| block.head.stream);
        let continues = head.kind == Some(Kind::Continuation) && awaited == Some(head.stream);
        if awaited.is_some() != continues || head.kind == Some(Kind::Continuation) && !continues {
            return Err((frame::PROTOCOL_ERROR, "a head is interrupted, or goes on where none began"));
        }
        if !self.peer.begun && (head.kind != Some(Kind::Settings) || head.has(frame::ACK)) {
            return Err((frame::PROTOCOL_ERROR, "the first frame is no SETTINGS"));
        }
        let stream = self.number(head.stream);
        let is_head = matches!(head.kind, Some(Kind::Headers | Kind::Continuation));
        let is_handshake = match is_head {
            true => stream.is_some_and(|number| self.streams[number].is_opening()),
            false => self.is_opening(),
        };
        let length = head.length as usize;
        let part = match is_handshake {
            true => Part::Handshake,
            false if self.is_post(head.stream) => Part::Answer,
            false if self.polls.is_some() && is_head => Part::Poll,
            false => Part::Control,
        };
        let mut under = Under { head, left: length, data: length, part };
        if head.kind == Some(Kind::Data) {
            self.begin_data(head)?;
            // The length of the padding is not known yet: it is the first byte.
            under.data = if head.has(frame::PADDED) { usize::MAX } else { length };
            return Ok(under);
        }
        self.layer(part, HEADER);
        Ok(under)
    }

    pub(super) fn begin_data(&mut self, head: Head) -> Result<(), Broken> {
        let number = self.number(head.stream).filter(|number| self.streams[*number].was_asked());
        let number =
            number.ok_or_else(|| self.stray(head.stream, "data on a stream that was never opened"))?;
        if head.has(frame::PADDED) && head.length == 0 {
            return Err(frame::TOO_SHORT);
        }
        if !self.window.receive(head.length) || !self.streams[number].window.receive(head.length) {
            return Err((frame::FLOW_CONTROL_ERROR, "more data than its window"));
        }
        match self.streams[number].state {
            State::Idle | State::Asked => {
                Err((frame::PROTOCOL_ERROR, "data before the head of its response"))
            }
            State::Open(_) if self.awaits_answer() => {
                Err((frame::PROTOCOL_ERROR, "data before the head of its response"))
            }
            State::Ended => Err((frame::STREAM_CLOSED, "data behind the end of its stream")),
            State::Open(_) | State::Left => Ok(()),
        }
    }

    /// Bytes of a DATA frame, which are padding's length, data and padding.
    pub(super) fn data(&mut self, mut bytes: &[u8], hear: &mut impl FnMut(Told<'_>)) -> Result<(), Broken> {
        let At::Frame(under) = &mut self.at else { unreachable!("a frame is under way") };
        if under.data == usize::MAX
            && let Some((padding, rest)) = bytes.split_first()
        {
            let length = under.head.length as usize - 1;
            under.data = length
                .checked_sub(usize::from(*padding))
                .ok_or((frame::PROTOCOL_ERROR, "padding is as long as its frame"))?;
            self.received += 1;
            bytes = rest;
        }
        let data = &bytes[..bytes.len().min(under.data)];
        if under.data != usize::MAX {
            under.data -= data.len();
        }
        let number = self.number(under_stream(&self.at)).expect("it was checked when the frame began");
        let stream = &mut self.streams[number];
        let fed = stream.take(data, self.received, &mut self.counts, |event, end| {
            hear(Told::Event(number, event, end));
        });
        self.received += bytes.len() as u64;
        // Read before the stream is over, and its decoder gone.
        self.close_code = stream.close_code().or(self.close_code);
        self.retry = stream.retry().or(self.retry);
        self.speak(number);
        if let Err(failure) = fed {
            self.leave(number, &failure, hear);
        }
        Ok(())
    }

    /// Bytes of any other frame.
    pub(super) fn other(&mut self, bytes: &[u8]) {
        let At::Frame(under) = &self.at else { unreachable!("a frame is under way") };
        let (part, is_known) = (under.part, under.head.kind.is_some());
        self.received += bytes.len() as u64;
        self.layer(part, bytes.len());
        if is_known {
            self.payload.extend_from_slice(bytes);
        }
    }

    pub(super) fn layer(&mut self, part: Part, bytes: usize) {
        *match part {
            Part::Handshake => &mut self.counts.handshake_down,
            Part::Control => &mut self.counts.control,
            Part::Answer => &mut self.counts.answers,
            Part::Poll => &mut self.counts.poll_heads,
        } += bytes as u64;
        if let (Part::Poll, Some(polls)) = (part, &mut self.polls) {
            polls.hear(bytes);
        }
    }

    /// The end of a frame: what it says takes effect.
    pub(super) fn end(&mut self, hear: &mut impl FnMut(Told<'_>)) -> Result<(), Fault> {
        let At::Frame(under) = std::mem::replace(&mut self.at, At::Head([0; HEADER], 0)) else {
            unreachable!("a frame is under way")
        };
        let head = under.head;
        let payload = std::mem::take(&mut self.payload);
        match head.kind {
            Some(Kind::Data) => self.end_data(head, hear),
            Some(Kind::Headers) => {
                let bytes = frame::without_padding(head, &payload)?.to_vec();
                self.end_block(Block { head, bytes }, head, hear)?;
            }
            Some(Kind::Continuation) => {
                let mut block = self.block.take().expect("it was checked when the frame began");
                block.bytes.extend_from_slice(&payload);
                self.end_block(block, head, hear)?;
            }
            Some(kind) => self.control(kind, head, &payload, hear)?,
            None => {}
        }
        match self.outbox.len() {
            ..=MAX_OUTBOX => Ok(()),
            _ => Err((frame::ENHANCE_YOUR_CALM, "the peer asks for more answers than it reads").into()),
        }
    }

    pub(super) fn end_data(&mut self, head: Head, hear: &mut impl FnMut(Told<'_>)) {
        let number = self.number(head.stream).expect("it was checked when the frame began");
        let more = [
            (0, self.window.take(head.length)),
            (head.stream, self.streams[number].window.take(head.length)),
        ];
        let goes_on = !head.has(frame::END_STREAM) && self.streams[number].is_open();
        for (stream, increment) in more {
            if let Some(increment) = increment.filter(|_| stream == 0 || goes_on) {
                frame::write(&mut self.outbox, Kind::WindowUpdate, 0, stream, &increment.to_be_bytes());
            }
        }
        if head.has(frame::END_STREAM) {
            self.ended(number, hear);
        }
    }

    pub(super) fn end_block(
        &mut self,
        block: Block,
        last: Head,
        hear: &mut impl FnMut(Told<'_>),
    ) -> Result<(), Fault> {
        if block.bytes.len() > MAX_BLOCK {
            return Err((frame::ENHANCE_YOUR_CALM, "a head is larger than 16 KiB").into());
        }
        if !last.has(frame::END_HEADERS) {
            self.block = Some(block);
            return Ok(());
        }
        let most = scenarios::http2::HEAD_BYTES as usize;
        let decoded = self.fields.decode(&block.bytes, most);
        let fields = decoded.map_err(|reason| (frame::COMPRESSION_ERROR, reason))?;
        if self.is_post(block.head.stream) {
            return self.answered(block.head, &fields);
        }
        let number = self.number(block.head.stream).filter(|number| self.streams[*number].was_asked());
        let number =
            number.ok_or_else(|| self.stray(block.head.stream, "a response that nobody asked for"))?;
        let ends = block.head.has(frame::END_STREAM);
        match self.streams[number].state {
            State::Idle | State::Asked => self.respond(number, &fields, ends, hear),
            State::Open(_) if self.awaits_answer() => self.answer(&fields, ends, hear),
            State::Open(_) if ends => self.ended(number, hear),
            State::Open(_) => {
                // RFC 9113 8.1: a second head is a trailer, and ends the stream.
                let failure = Failure::Protocol("HTTP/2: a trailer that does not end its stream".into());
                self.leave(number, &failure, hear);
            }
            State::Left => {}
            State::Ended => {
                return Err((frame::STREAM_CLOSED, "a head behind the end of its stream").into());
            }
        }
        Ok(())
    }

    /// The head of a response, or an interim one that is only passed by.
    pub(super) fn respond(
        &mut self,
        number: usize,
        fields: &[hpack::Field],
        ends: bool,
        hear: &mut impl FnMut(Told<'_>),
    ) {
        let wire =
            stream::response(fields, ends, |response| self.handshake.wire(response, &self.target.scenario));
        match wire {
            Ok(None) => {}
            Ok(Some(wire)) => {
                self.streams[number].open(wire);
                self.begin_answer();
                if self.exact {
                    self.streams[number].pinpoint();
                }
                self.opening -= 1;
                hear(Told::Open(number));
                self.ask_the_rest(hear);
                if ends {
                    self.ended(number, hear);
                }
            }
            Err(failure) if ends => self.over(number, State::Ended, &failure, hear),
            Err(failure) => self.leave(number, &failure, hear),
        }
    }

    /// Ends a stream from this side, where the peer has not ended it.
    pub(super) fn leave(&mut self, number: usize, failure: &Failure, hear: &mut impl FnMut(Told<'_>)) {
        let (cancel, id) = (frame::CANCEL.to_be_bytes(), self.id(number));
        // Between two polls there is no stream to end.
        if self.polls.as_ref().is_none_or(Polls::is_asking) {
            frame::write(&mut self.outbox, Kind::RstStream, 0, id, &cancel);
        }
        self.over(number, State::Left, failure, hear);
    }

    /// The peer has ended a stream in good order; whether what it carried is complete, its decoder knows.
    pub(super) fn ended(&mut self, number: usize, hear: &mut impl FnMut(Told<'_>)) {
        if self.poll_ended(hear) {
            return;
        }
        let failure = self.streams[number].at_end();
        self.hush(number);
        self.over(number, State::Ended, &failure, hear);
    }

    pub(super) fn over(
        &mut self,
        number: usize,
        state: State,
        failure: &Failure,
        hear: &mut impl FnMut(Told<'_>),
    ) {
        let was_over = self.streams[number].is_over();
        self.opening -= usize::from(self.streams[number].is_opening());
        self.streams[number].state = state;
        if !was_over {
            hear(Told::Over(number, failure));
        }
    }
}

/// The stream of the frame under way.
fn under_stream(at: &At) -> u32 {
    match at {
        At::Frame(under) => under.head.stream,
        At::Head(..) => 0,
    }
}
