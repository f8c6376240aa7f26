//! How bodies that are bytes travel where only text does: as base64 (RFC 4648, section 4).
//!
//! Both directions here, so that the two ends cannot differ. WebSocket's binary frames and the raw
//! lane carry bytes as they are, whatever the scenario says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lane::{Lane, Transport};
use crate::scenario::Scenario;

/// What a lane that carries only text does with a binary payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Binary {
    /// Nothing: such a lane is refused.
    #[default]
    Native,
    /// It carries the bodies as base64.
    Base64,
}

impl Transport {
    /// Whether an event is UTF-8 text by the transport's own rules (WHATWG HTML 9.2.5: "must be
    /// encoded as UTF-8").
    #[must_use]
    pub const fn is_text_only(self) -> bool {
        match self {
            Self::Sse | Self::LongPoll | Self::Poll => true,
            Self::Ws | Self::Raw => false,
        }
    }
}

impl Scenario {
    /// Whether this lane carries the bodies as base64.
    #[must_use]
    pub fn is_base64_on(&self, lane: Lane) -> bool {
        self.payload.is_binary() && lane.transport.is_text_only()
    }
}

/// Bytes as text.
#[must_use]
pub fn encode(body: &[u8]) -> String {
    STANDARD.encode(body)
}

/// Reads text back into `out`, which is emptied before; false when it is no base64.
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    STANDARD.decode_vec(text, out).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of RFC 4648, section 10.
    #[test]
    fn golden_bytes() {
        for (body, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(body.as_bytes()), text);
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        let mut out = Vec::new();
        for wrong in ["Zg", "Zg==\n", "Z g==", "Zm9v!", "\u{e9}"] {
            assert!(!decode(wrong.as_bytes(), &mut out), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_and_four_thirds_as_long(body: Vec<u8>) {
            let (text, mut out) = (encode(&body), b"left over".to_vec());
            prop_assert_eq!(text.len(), body.len().div_ceil(3) * 4);
            prop_assert!(decode(text.as_bytes(), &mut out));
            prop_assert_eq!(out, body);
        }
    }
}
