//! The grammar of an event stream (WHATWG HTML 9.2.6), exact and incremental.
//!
//! A block that lies whole in one read is decoded where it lies; an unfinished one is carried over
//! with the position up to which it was searched, so that long lines cost linear time. Fields are
//! ranges of the block. Undecodable bytes are replaced per field, which is the same as decoding
//! the stream first, because a line's delimiters are ASCII and never part of a broken sequence.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;
use scenarios::Event;

use super::decoder::carry;
use super::{Bytes, MAX_EVENT, READ_BUFFER, base64};
use crate::failure::Failure;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The data lines of a block.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One line: where it lies in the block.
    One(Range<usize>),
    /// Several lines, joined by LF in `Events::joined`.
    Joined,
}

/// What a block has said so far; ranges count from its start.
#[derive(Debug, Default)]
struct Block {
    data: Data,
    name: Option<Range<usize>>,
    id: Option<Range<usize>>,
    /// Where the current line starts.
    line: usize,
    /// Up to where its end has been searched.
    searched: usize,
    /// Bytes of its lines that say nothing about the event.
    control: u64,
}

/// The decoder's state between reads.
#[derive(Debug, Default)]
pub struct Events {
    rest: Vec<u8>,
    block: Block,
    joined: Vec<u8>,
    begun: bool,
    /// The last line ended in CR: an LF would belong to it; true if it is to count as control.
    after_cr: Option<bool>,
    last_id: Vec<u8>,
    retry: Option<u64>,
    received: u64,
    payload: u64,
    control: u64,
    is_base64: bool,
}

impl Events {
    /// Events whose data is base64: it is decoded, and what it is longer is framing.
    #[must_use]
    pub fn with_base64(self, is_base64: bool) -> Self {
        Self { is_base64, ..self }
    }

    /// Takes bytes of the body; `emit` gets the index behind the event's last byte.
    ///
    /// # Errors
    /// A block is larger than [`MAX_EVENT`].
    pub fn feed(&mut self, input: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<(), Failure> {
        self.received += input.len() as u64;
        let mut rest = std::mem::take(&mut self.rest);
        let before = rest.len();
        let walked = carry(&mut rest, input, |bytes| {
            self.walk(bytes, &mut |event: &Event<'_>, end: usize| emit(event, end - before))
        });
        self.rest = rest;
        walked
    }

    /// The last event id of the stream, as a reconnection would send it; empty for none.
    #[must_use]
    pub fn last_id(&self) -> &[u8] {
        &self.last_id
    }

    /// Whether no block has begun that is not complete.
    #[must_use]
    pub const fn is_between_blocks(&self) -> bool {
        self.rest.is_empty()
    }

    /// The reconnection time the stream asked for last, milliseconds.
    #[must_use]
    pub const fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// Bytes by layer; what is neither payload nor control is event framing.
    #[must_use]
    pub fn counts(&self) -> Bytes {
        let (payload, control) = (self.payload, self.control);
        Bytes { payload, control, event_framing: self.received - payload - control, ..Bytes::default() }
    }

    /// Walks over whole lines; returns how many bytes no later line needs.
    fn walk(&mut self, bytes: &[u8], emit: &mut impl FnMut(&Event<'_>, usize)) -> Result<usize, Failure> {
        let Some(mut start) = self.skip_bom(bytes) else { return Ok(0) };
        loop {
            if self.after_cr.is_some() && start + self.block.line < bytes.len() {
                start += self.skip_lf(bytes[start + self.block.line]);
            }
            let from = start + self.block.searched;
            let Some(length) = memchr2(b'\n', b'\r', &bytes[from..]) else {
                self.block.searched = bytes.len() - start;
                return Ok(start);
            };
            let end = from + length;
            if end - start > MAX_EVENT {
                return Err(Failure::Protocol("an event is larger than 16 MiB".into()));
            }
            let line = self.block.line..end - start;
            let control = match line.is_empty() {
                true => !self.dispatch(&bytes[start..=end], |event| emit(event, end + 1)),
                false => !self.field(&bytes[start..end], line.clone()),
            };
            self.after_cr = (bytes[end] == b'\r').then_some(control);
            if line.is_empty() || (control && line.start == 0) {
                start = end + 1;
                self.control += u64::from(control && !line.is_empty()) * (line.len() as u64 + 1);
                self.block = Block::default();
            } else {
                self.block.control += u64::from(control) * (line.len() as u64 + 1);
                self.block.line = end + 1 - start;
                self.block.searched = self.block.line;
            }
        }
    }

    /// How many bytes of BOM the stream starts with; `None` while that is open.
    fn skip_bom(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.begun {
            return Some(0);
        }
        if bytes.len() < BOM.len() && BOM.starts_with(bytes) {
            return None;
        }
        self.begun = true;
        Some(if bytes.starts_with(BOM) { BOM.len() } else { 0 })
    }

    /// The byte behind a CR: an LF belongs to the line before. Returns by how much the block's start
    /// moves.
    fn skip_lf(&mut self, byte: u8) -> usize {
        let control = u64::from(self.after_cr.take() == Some(true));
        if byte != b'\n' {
            return 0;
        }
        if self.block.line == 0 {
            self.control += control;
            return 1;
        }
        self.block.control += control;
        self.block.line += 1;
        self.block.searched = self.block.line;
        0
    }

    /// Takes one line that is not empty; false if it says nothing about the event.
    fn field(&mut self, block: &[u8], line: Range<usize>) -> bool {
        let text = &block[line.clone()];
        let colon = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
        let skip = colon + 1 + usize::from(text.get(colon + 1) == Some(&b' '));
        let value = (line.start + skip).min(line.end)..line.end;
        match &text[..colon] {
            b"data" => self.data(block, value),
            b"event" => self.block.name = Some(value),
            b"id" if !block[value.clone()].contains(&0) => self.block.id = Some(value),
            b"retry" => {
                self.retry = number(&block[value]).or(self.retry);
                return false;
            }
            _ => return false,
        }
        true
    }

    fn data(&mut self, block: &[u8], value: Range<usize>) {
        match std::mem::take(&mut self.block.data) {
            Data::None => {
                self.block.data = Data::One(value);
                return;
            }
            Data::One(first) => {
                self.joined.clear();
                self.joined.extend_from_slice(&block[first]);
            }
            Data::Joined => {}
        }
        self.joined.push(b'\n');
        self.joined.extend_from_slice(&block[value]);
        self.block.data = Data::Joined;
    }

    /// The blank line: commits the id, and dispatches if there is data. Returns whether it did.
    fn dispatch(&mut self, block: &[u8], emit: impl FnOnce(&Event<'_>)) -> bool {
        let id = self.block.id.clone().map(|range| text(&block[range]));
        if let Some(id) = &id {
            self.last_id.clear();
            self.last_id.extend_from_slice(id);
        }
        let data = match &self.block.data {
            Data::None => {
                self.control += block.len() as u64;
                return false;
            }
            Data::One(range) => &block[range.clone()],
            Data::Joined => &self.joined,
        };
        self.control += self.block.control;
        let name = self.block.name.clone().filter(|range| !range.is_empty()).map(|range| text(&block[range]));
        let emit = |data: Cow<'_, [u8]>, length: usize| {
            self.payload += length as u64;
            emit(&Event { id: id.as_deref(), name: name.as_deref(), data });
        };
        match self.is_base64 {
            true => base64::decoded(data, |bytes| emit(bytes.into(), bytes.len())),
            false => emit(text(data), data.len()),
        }
        self.joined.shrink_to(READ_BUFFER);
        true
    }
}

/// UTF-8 with what is not replaced by U+FFFD; a copy only then. Checked first, because the plain
/// check goes over ASCII by the word and the replacing one by the byte.
fn text(bytes: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Cow::Borrowed(bytes),
        Err(_) => Cow::Owned(String::from_utf8_lossy(bytes).into_owned().into_bytes()),
    }
}

/// One or more ASCII digits as a number, the largest there is if it does not fit.
fn number(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| {
        digits.iter().fold(0_u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}
