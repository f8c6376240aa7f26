//! The identity of an event (id, name, data) and the envelope that carries it where the transport
//! has no fields of its own (WebSocket messages, raw frames).
//!
//! SSE has the fields `id` and `event`; giving WebSocket less to say would rig the comparison
//! (METHOD M9), so both ends share this one encoding.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How much identity every lane carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Identity {
    /// Data only; the sequence is recognised by the body.
    #[serde(rename = "none")]
    None,
    /// The id, decimal.
    #[serde(rename = "id")]
    Id,
    /// The id and the event's name.
    #[default]
    #[serde(rename = "id+event")]
    IdEvent,
}

/// How identity is written inside a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Envelope {
    /// `id LF event LF data`: the fewest bytes.
    #[default]
    Lines,
    /// `{"id":7,"event":"quote","data":...}`: what most applications write.
    Json,
}

/// One event as a receiver sees it; absent fields were not on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The id's bytes.
    pub id: Option<&'a [u8]>,
    /// The event name's bytes.
    pub name: Option<&'a [u8]>,
    /// The body.
    pub data: Cow<'a, [u8]>,
}

impl Event<'_> {
    /// The id as the sequence number it stands for; `None` when absent or not decimal.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        decimal(self.id?)
    }
}

/// Decimal digits as a number, without allocation; `None` for anything else.
#[must_use]
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}

/// Writes an event's message: envelope and data. JSON bodies are embedded as JSON, others as a
/// JSON string.
#[must_use]
pub fn encode(identity: Identity, envelope: Envelope, seq: u64, name: &str, data: &[u8]) -> Vec<u8> {
    let fields = match identity {
        Identity::None => return data.to_vec(),
        Identity::Id => (Some(seq), None),
        Identity::IdEvent => (Some(seq), Some(name)),
    };
    match (envelope, fields) {
        (Envelope::Lines, (id, name)) => {
            let mut out = Vec::with_capacity(data.len() + 32);
            out.extend(id.into_iter().flat_map(|id| format!("{id}\n").into_bytes()));
            out.extend(name.into_iter().flat_map(|name| format!("{name}\n").into_bytes()));
            out.extend_from_slice(data);
            out
        }
        (Envelope::Json, (id, name)) => encode_json(id, name, data),
    }
}

#[derive(Serialize)]
struct JsonOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    data: &'a RawValue,
}

fn encode_json(id: Option<u64>, event: Option<&str>, data: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(data);
    let raw = match RawValue::from_string(text.to_string()) {
        Ok(raw) if !raw.get().starts_with('"') && raw.get().len() == data.len() => raw,
        Ok(_) | Err(_) => serde_json::value::to_raw_value(&text).expect("a string is a JSON value"),
    };
    serde_json::to_vec(&JsonOut { id, event, data: &raw }).expect("plain fields are JSON")
}

#[derive(Deserialize)]
struct JsonIn<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads a message written by [`encode`]; `None` when it is not one.
#[must_use]
pub fn decode(identity: Identity, envelope: Envelope, message: &[u8]) -> Option<Event<'_>> {
    match (identity, envelope) {
        (Identity::None, _) => Some(Event { id: None, name: None, data: Cow::Borrowed(message) }),
        (Identity::Id, Envelope::Lines) => {
            let (id, data) = line(message)?;
            Some(Event { id: Some(id), name: None, data: Cow::Borrowed(data) })
        }
        (Identity::IdEvent, Envelope::Lines) => {
            let (id, rest) = line(message)?;
            let (name, data) = line(rest)?;
            Some(Event { id: Some(id), name: Some(name), data: Cow::Borrowed(data) })
        }
        (Identity::Id | Identity::IdEvent, Envelope::Json) => decode_json(message),
    }
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn decode_json(message: &[u8]) -> Option<Event<'_>> {
    let parts: JsonIn<'_> = serde_json::from_slice(message).ok()?;
    let data = parts.data.get();
    let data = match data.starts_with('"') {
        true => Cow::Owned(serde_json::from_str::<String>(data).ok()?.into_bytes()),
        false => Cow::Borrowed(data.as_bytes()),
    };
    let name = parts.event.map(|raw| raw.get().trim_matches('"').as_bytes());
    Some(Event { id: parts.id.map(|raw| raw.get().as_bytes()), name, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_bytes() {
        let body = br#"{"bid":1.5}"#;
        let lines = |identity| encode(identity, Envelope::Lines, 7, "quote", body);
        assert_eq!(lines(Identity::None), body);
        assert_eq!(lines(Identity::Id), b"7\n{\"bid\":1.5}");
        assert_eq!(lines(Identity::IdEvent), b"7\nquote\n{\"bid\":1.5}");
        let json = encode(Identity::IdEvent, Envelope::Json, 7, "quote", body);
        assert_eq!(json, br#"{"id":7,"event":"quote","data":{"bid":1.5}}"#);
        let text = encode(Identity::Id, Envelope::Json, 7, "quote", b"a\"b");
        assert_eq!(text, br#"{"id":7,"data":"a\"b"}"#);
    }

    #[test]
    fn decimal_is_digits_only() {
        assert_eq!(decimal(b"1234567890"), Some(1_234_567_890));
        for wrong in [&b""[..], b"+5", b"1 ", b"0x1", b"99999999999999999999"] {
            assert_eq!(decimal(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(seq in 0u64..10_000_000_000, body in "\\PC{0,200}", identity in 0..3, json: bool) {
            let identity = [Identity::None, Identity::Id, Identity::IdEvent][identity as usize];
            let envelope = if json { Envelope::Json } else { Envelope::Lines };
            let message = encode(identity, envelope, seq, "quote", body.as_bytes());
            let event = decode(identity, envelope, &message).expect("own message");
            prop_assert_eq!(event.data.as_ref(), body.as_bytes());
            prop_assert_eq!(event.seq(), (identity != Identity::None).then_some(seq));
            prop_assert_eq!(event.name, (identity == Identity::IdEvent).then_some(&b"quote"[..]));
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes: Vec<u8>, json: bool) {
            let envelope = if json { Envelope::Json } else { Envelope::Lines };
            let _ = decode(Identity::IdEvent, envelope, &bytes);
        }
    }
}
