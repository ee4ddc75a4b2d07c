//! The ids of topics, clusters and directories: 16 bytes, written as Kafka writes them (URL-safe base64, no padding).

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::str::FromStr;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A universally unique id, such as a topic's, which outlives its name.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// "No id", as requests and responses say it.
    pub const ZERO: Self = Self([0; 16]);

    /// The id with these bytes, the most significant first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, the most significant first.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// A new random id (version 4). As in Kafka, its text does not begin with a dash.
    pub(crate) fn random() -> Self {
        loop {
            // The standard library seeds each hasher from the system's randomness.
            let half = || RandomState::new().build_hasher().finish().to_be_bytes();
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&half());
            bytes[8..].copy_from_slice(&half());
            bytes[6] = (bytes[6] & 0x0f) | 0x40;
            bytes[8] = (bytes[8] & 0x3f) | 0x80;
            let id = Self(bytes);
            if !id.to_string().starts_with('-') {
                return id;
            }
        }
    }

    /// 32 lower-case hex digits, as in the name of a directory on its way out.
    pub(crate) fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        // 22 digits of 6 bits hold 132: the last digit has 4 bits of padding.
        for digit in 0..22 {
            let shift = 122_i32 - 6 * digit;
            let value = if shift >= 0 { bits >> shift } else { bits << -shift };
            write!(f, "{}", DIGITS[(value & 63) as usize] as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 22 digits of URL-safe base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 22 digits of URL-safe base64")]
#[non_exhaustive]
pub struct ParseUuidError;

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        let text = text.trim_end_matches('=');
        if text.len() != 22 {
            return Err(ParseUuidError);
        }
        let mut bits: u128 = 0;
        for (index, character) in text.bytes().enumerate() {
            let digit = DIGITS.iter().position(|digit| *digit == character).ok_or(ParseUuidError)? as u128;
            bits = if index < 21 { (bits << 6) | digit } else { (bits << 2) | (digit >> 4) };
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kafkas() {
        let id = Uuid::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(id.to_string(), "AQIDBAUGBwgJCgsMDQ4PEA");
        assert_eq!("AQIDBAUGBwgJCgsMDQ4PEA".parse(), Ok(id));
        let mut metadata = [0; 16];
        metadata[15] = 1;
        assert_eq!(Uuid::from_bytes(metadata).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!("short".parse::<Uuid>(), Err(ParseUuidError));
    }

    #[test]
    fn random_ids_differ_and_parse_back() {
        let (a, b) = (Uuid::random(), Uuid::random());
        assert_ne!(a, b);
        assert_eq!(a.to_string().parse(), Ok(a));
    }
}
