//! The codecs of a batch's records. All of them are known always; each works if its feature is built in.
//!
//! Decompression is bounded: nothing is allocated because a stream claims a size, only as bytes come out, and never
//! more than the caller's limit. Streams are written in the shapes that Kafka's own clients can read; what they
//! accept is accepted here.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;
use std::io;
#[cfg(any(feature = "gzip", feature = "zstd"))]
use std::io::Read;
use std::str::FromStr;

use crate::error::{Corruption, Error, Result};

/// How the records of a batch are compressed (Kafka's `compression.type`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952, with the feature `gzip`.
    Gzip,
    /// Snappy blocks in the framing of `snappy-java`, with the feature `snappy`.
    Snappy,
    /// LZ4 frames, with the feature `lz4`.
    Lz4,
    /// RFC 8878, with the feature `zstd`.
    Zstd,
}

impl Compression {
    /// The codec of this number in a batch's attributes.
    #[inline]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The codec's number in a batch's attributes.
    #[inline]
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Kafka's name for it, which is also the name of the feature that builds it in.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Appends `input`, compressed, to `out`. `level` is on Kafka's scale, `None` its default.
    ///
    /// Snappy has no levels, and of lz4 the fast compressor is the only one here: both ignore a valid level.
    pub(crate) fn compress(self, level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.check_level(level)?;
        let compressed = match self {
            Self::None => {
                out.extend_from_slice(input);
                Ok(())
            }
            #[cfg(feature = "gzip")]
            Self::Gzip => gzip::compress(level, input, out),
            #[cfg(feature = "snappy")]
            Self::Snappy => snappy::compress(input, out),
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4::compress(input, out),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::compress(level, input, out),
            #[allow(unreachable_patterns, reason = "reachable unless all four features are on")]
            _ => return Err(Error::UnsupportedCompressionType { codec: self.name() }),
        };
        // Writing into memory does not fail; what is left is a codec that could not set itself up.
        compressed.map_err(|error: io::Error| Error::InvalidRecord {
            reason: format!("the records can't be compressed with {self}: {error}"),
        })
    }

    /// The bytes that `input` decompresses to, at most `limit` of them.
    ///
    /// Positions in errors are relative to `input`.
    pub(crate) fn decompress(self, input: &[u8], limit: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let decompressed = match self {
            Self::None if input.len() > limit => Err(Failure::OverLimit),
            Self::None => {
                out.extend_from_slice(input);
                Ok(())
            }
            #[cfg(feature = "gzip")]
            Self::Gzip => gzip::decompress(input, limit, &mut out),
            #[cfg(feature = "snappy")]
            Self::Snappy => snappy::decompress(input, limit, &mut out),
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4::decompress(input, limit, &mut out),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::decompress(input, limit, &mut out),
            #[allow(unreachable_patterns, reason = "reachable unless all four features are on")]
            _ => return Err(Error::UnsupportedCompressionType { codec: self.name() }),
        };
        match decompressed {
            Ok(()) => Ok(out),
            Err(Failure::Invalid) => Err(Error::corrupt(0, Corruption::Compressed { codec: self.name() })),
            Err(Failure::OverLimit) => Err(Error::corrupt(0, Corruption::DecompressedSize { limit })),
        }
    }

    /// Refuses a level that Kafka's config of the codec would refuse.
    pub(crate) fn check_level(self, level: Option<i32>) -> Result<()> {
        let (valid, key, expected) = match self {
            Self::Gzip => (-1..=9, "compression.gzip.level", "1 to 9, or -1"),
            Self::Lz4 => (1..=17, "compression.lz4.level", "1 to 17"),
            Self::Zstd => (-131_072..=22, "compression.zstd.level", "-131072 to 22"),
            Self::None | Self::Snappy => return Ok(()),
        };
        match level {
            Some(level) if !valid.contains(&level) || (self == Self::Gzip && level == 0) => {
                Err(Error::InvalidConfig { key: key.into(), value: level.to_string(), expected: expected.into() })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = Error;

    /// Accepts Kafka's values of `compression.type`: `none` or `uncompressed`, `gzip`, `snappy`, `lz4`, `zstd`.
    fn from_str(value: &str) -> Result<Self> {
        match value {
            "none" | "uncompressed" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "snappy" => Ok(Self::Snappy),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Error::InvalidConfig {
                key: "compression.type".into(),
                value: value.into(),
                expected: "one of none, uncompressed, gzip, snappy, lz4, zstd".into(),
            }),
        }
    }
}

/// Why a stream could not be decompressed.
#[cfg_attr(not(feature = "compression"), allow(dead_code, reason = "each codec uses its part"))]
enum Failure {
    /// It is not what the codec writes.
    Invalid,
    /// It yields more than the limit.
    OverLimit,
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        // The stream is memory, so whatever went wrong is the stream's contents.
        Self::Invalid
    }
}

/// Reads all that `stream` yields, growing `out` as bytes come, and stops one byte beyond the limit.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn read_to_limit(stream: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    stream.take((limit as u64).saturating_add(1)).read_to_end(out)?;
    if out.len() > limit { Err(Failure::OverLimit) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    fn built_in(codec: Compression) -> bool {
        match codec {
            Compression::None => true,
            Compression::Gzip => cfg!(feature = "gzip"),
            Compression::Snappy => cfg!(feature = "snappy"),
            Compression::Lz4 => cfg!(feature = "lz4"),
            Compression::Zstd => cfg!(feature = "zstd"),
        }
    }

    fn compressed(codec: Compression, input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        codec.compress(None, input, &mut out).unwrap();
        out
    }

    fn reason<T>(result: Result<T>) -> Corruption {
        match result {
            Err(Error::CorruptRecord { reason, .. }) => reason,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("no error"),
        }
    }

    #[test]
    fn names_and_numbers_lead_back_to_the_codec() {
        for codec in ALL {
            assert_eq!(Compression::from_id(codec.id()), Some(codec));
            assert_eq!(codec.name().parse::<Compression>().unwrap(), codec);
        }
        assert_eq!("uncompressed".parse::<Compression>().unwrap(), Compression::None);
        assert_eq!(Compression::from_id(5), None);
        let refused = "brotli".parse::<Compression>();
        assert!(matches!(refused, Err(Error::InvalidConfig { key, .. }) if key == "compression.type"));
    }

    #[test]
    fn a_codec_that_is_not_built_in_says_which_feature_is_missing() {
        for codec in ALL.into_iter().filter(|codec| !built_in(*codec)) {
            let refusals = [codec.compress(None, b"x", &mut Vec::new()).err(), codec.decompress(b"x", 10).err()];
            for refusal in refusals {
                let Some(Error::UnsupportedCompressionType { codec: named }) = refusal else { panic!("{refusal:?}") };
                assert_eq!(named, codec.name());
            }
        }
    }

    #[test]
    fn what_goes_in_comes_out_and_what_was_there_stays() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|i| (i / 7 % 251).to_le_bytes()).collect();
        for codec in ALL.into_iter().filter(|codec| built_in(*codec)) {
            for input in [&b""[..], b"a", &text[..32 * 1024], &text[..32 * 1024 + 1], &text] {
                let mut out = b"header".to_vec();
                codec.compress(None, input, &mut out).unwrap();
                assert_eq!(&out[..6], b"header");
                assert_eq!(codec.decompress(&out[6..], input.len()).unwrap(), input, "{codec}");
            }
        }
    }

    #[test]
    fn the_limit_is_exact_and_bombs_stop_at_it() {
        let zeroes = vec![0; 1 << 20];
        for codec in ALL.into_iter().filter(|codec| built_in(*codec)) {
            let bomb = compressed(codec, &zeroes);
            assert!(codec.decompress(&bomb, zeroes.len()).is_ok());
            for limit in [0, 1, 100_000, zeroes.len() - 1] {
                assert_eq!(reason(codec.decompress(&bomb, limit)), Corruption::DecompressedSize { limit }, "{codec}");
            }
        }
    }

    #[test]
    fn cut_or_foreign_streams_are_refused() {
        let input: Vec<u8> = (0..5000u32).map(|i| ((i * i) >> 3) as u8).collect();
        for codec in ALL.into_iter().skip(1).filter(|codec| built_in(*codec)) {
            let whole = compressed(codec, &input);
            for cut in 1..whole.len() - 8 {
                // A cut may fall between two chunks, where the stream just ends early.
                if let Ok(bytes) = codec.decompress(&whole[..cut], 1 << 20) {
                    assert!(input.starts_with(&bytes), "{codec} at {cut}");
                    assert!(bytes.len() < input.len(), "{codec} at {cut}");
                }
            }
            let foreign = codec.decompress(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1 << 20);
            assert_eq!(reason(foreign), Corruption::Compressed { codec: codec.name() });
        }
    }

    #[test]
    #[cfg(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd"))]
    fn concatenated_streams_are_one() {
        for codec in ALL.into_iter().filter(|codec| built_in(*codec)) {
            let mut streams = compressed(codec, b"one ");
            streams.extend(compressed(codec, b"two"));
            assert_eq!(codec.decompress(&streams, 7).unwrap(), b"one two", "{codec}");
            assert_eq!(reason(codec.decompress(&streams, 6)), Corruption::DecompressedSize { limit: 6 });
        }
    }

    #[test]
    fn levels_have_kafkas_ranges() {
        for (codec, good, bad) in [
            (Compression::Gzip, [-1, 1, 9], [-2, 0, 10]),
            (Compression::Lz4, [1, 9, 17], [-1, 0, 18]),
            (Compression::Zstd, [-131_072, 0, 22], [-131_073, 23, i32::MAX]),
        ] {
            for level in good.into_iter().filter(|_| built_in(codec)) {
                let mut out = Vec::new();
                codec.compress(Some(level), b"some bytes", &mut out).unwrap();
                assert_eq!(codec.decompress(&out, 10).unwrap(), b"some bytes");
            }
            for level in bad {
                let refused = codec.compress(Some(level), b"", &mut Vec::new());
                assert!(matches!(refused, Err(Error::InvalidConfig { .. })), "{codec} {level}");
            }
        }
    }

    #[test]
    #[cfg(feature = "snappy")]
    fn a_bare_snappy_block_is_read_and_its_claim_is_not_believed() {
        let block = snap::raw::Encoder::new().compress_vec(b"no framing at all").unwrap();
        assert_eq!(Compression::Snappy.decompress(&block, 17).unwrap(), b"no framing at all");
        assert_eq!(reason(Compression::Snappy.decompress(&block, 16)), Corruption::DecompressedSize { limit: 16 });
        // Claims 4 GiB - 1 in 6 bytes: refused before anything is allocated.
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        let refused = reason(Compression::Snappy.decompress(&claim, usize::MAX));
        assert_eq!(refused, Corruption::Compressed { codec: "snappy" });
    }

    #[test]
    #[cfg(feature = "lz4")]
    fn lz4_frames_have_the_shape_that_kafka_reads() {
        // Version 1, independent blocks, no checksums, no content size; 64 KiB blocks; end mark.
        let frame = compressed(Compression::Lz4, &[7; 100_000]);
        assert_eq!(frame[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
        assert_eq!(frame[frame.len() - 4..], [0; 4]);
    }
}
