//! A record as an object of JSON: what `consume` prints, `produce` reads back.
//!
//! ```text
//!   {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"timestamp_type":"CreateTime","leader_epoch":0,
//!    "key":"k","value":{"base64":"//4="},"headers":[{"key":"h","value":null}]}
//! ```
//!
//! A key or value is a string if it is UTF-8, an object with its bytes in base64 if it is not, and null if there is
//! none.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use esker::record::TimestampType;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::source::ReadRecord;

/// Bytes that may not be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blob(pub(crate) Option<Bytes>);

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonHeader {
    pub(crate) key: String,
    pub(crate) value: Blob,
}

/// What is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Printed<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    timestamp_type: &'static str,
    leader_epoch: i32,
    key: Blob,
    value: Blob,
    headers: Vec<JsonHeader>,
}

/// What is read. An unknown field is refused: a mistyped one would be lost.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    #[serde(default)]
    pub(crate) key: Blob,
    /// Has to be there, so that nobody writes a tombstone who has forgotten it.
    pub(crate) value: Blob,
    #[serde(default)]
    pub(crate) headers: Vec<JsonHeader>,
    // What is known of where the record came from, and says nothing of where it goes.
    #[serde(rename = "topic")]
    _topic: Option<de::IgnoredAny>,
    #[serde(rename = "offset")]
    _offset: Option<de::IgnoredAny>,
    #[serde(rename = "timestamp_type")]
    _timestamp_type: Option<de::IgnoredAny>,
    #[serde(rename = "leader_epoch")]
    _leader_epoch: Option<de::IgnoredAny>,
}

impl<'a> From<&'a ReadRecord> for Printed<'a> {
    fn from(record: &'a ReadRecord) -> Self {
        let header =
            |(key, value): &(String, Option<Bytes>)| JsonHeader { key: key.clone(), value: Blob(value.clone()) };
        Self {
            topic: &record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            timestamp_type: timestamp_type(record.timestamp_type),
            leader_epoch: record.leader_epoch,
            key: Blob(record.key.clone()),
            value: Blob(record.value.clone()),
            headers: record.headers.iter().map(header).collect(),
        }
    }
}

/// Kafka's name for it.
pub(crate) fn timestamp_type(of: TimestampType) -> &'static str {
    match of {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(bytes) = &self.0 else { return serializer.serialize_none() };
        match str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut object = serializer.serialize_map(Some(1))?;
                object.serialize_entry("base64", &STANDARD.encode(bytes))?;
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a string, {"base64": "..."} or null"#)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Blob, E> {
        Ok(Blob(None))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
        Ok(Blob(Some(Bytes::copy_from_slice(text.as_bytes()))))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Blob, E> {
        Ok(Blob(Some(text.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Blob, A::Error> {
        let wrong = || de::Error::custom(r#"the only field of such an object is "base64""#);
        let Some((name, text)) = object.next_entry::<String, String>()? else { return Err(wrong()) };
        if name != "base64" || object.next_key::<String>()?.is_some() {
            return Err(wrong());
        }
        let bytes = STANDARD.decode(text).map_err(|error| de::Error::custom(format!("no base64: {error}")))?;
        Ok(Blob(Some(bytes.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(bytes: &'static [u8]) -> Blob {
        Blob(Some(Bytes::from_static(bytes)))
    }

    #[test]
    fn bytes_are_text_where_they_can_be() {
        let cases = [
            (Blob(None), "null"),
            (blob(b""), "\"\""),
            (blob(b"a\"\n\xc3\xb6"), "\"a\\\"\\nö\""),
            (blob(b"\xff\xfe"), r#"{"base64":"//4="}"#),
        ];
        for (blob, json) in cases {
            assert_eq!(serde_json::to_string(&blob).ok().as_deref(), Some(json));
            assert_eq!(serde_json::from_str::<Blob>(json).ok(), Some(blob));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = [
            r#"{"value":"v","vlaue":"v"}"#,
            r#"{"key":"k"}"#,
            r#"{"value":1}"#,
            r#"{"value":{"base64":"?"}}"#,
            r#"{"value":{"base64":"","more":""}}"#,
            r#"{"value":{}}"#,
            r#"{"value":"v","headers":[{"key":"k"}]}"#,
            r#"{"value":"v"} {}"#,
        ];
        for text in refused {
            assert!(serde_json::from_str::<Read>(text).is_err(), "{text}");
        }
    }
}
