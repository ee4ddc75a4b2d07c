//! The record format through the public API: against vectors, against Kafka's own bytes, against damage and chance.

mod damage;
mod golden;
mod properties;
mod vectors;

use bytes::Bytes;
use esker::record::{BatchView, Compression, Header, RecordView};

/// The codecs of this build.
fn codecs() -> Vec<Compression> {
    let built_in = [
        (Compression::None, true),
        (Compression::Gzip, cfg!(feature = "gzip")),
        (Compression::Snappy, cfg!(feature = "snappy")),
        (Compression::Lz4, cfg!(feature = "lz4")),
        (Compression::Zstd, cfg!(feature = "zstd")),
    ];
    built_in.into_iter().filter(|(_, built_in)| *built_in).map(|(codec, _)| codec).collect()
}

/// A record that owns its parts, for comparing.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl From<&RecordView<'_>> for Owned {
    fn from(record: &RecordView<'_>) -> Self {
        let headers = record.headers().map(|header| header.expect("the key is UTF-8"));
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.map(|Header { key, value }| (key.to_owned(), value.map(<[u8]>::to_vec))).collect(),
        }
    }
}

/// All records of a batch that is whole and sound.
fn records(batch: &BatchView) -> Vec<Owned> {
    let set = batch.records().expect("the codec is built in and the stream sound");
    set.iter().map(|record| Owned::from(&record.expect("the record is sound"))).collect()
}

/// The bytes that `text` spells in hexadecimal. White space is layout.
fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    assert_eq!(digits.len(), text.chars().filter(|c| !c.is_whitespace()).count(), "only digits and white space");
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
