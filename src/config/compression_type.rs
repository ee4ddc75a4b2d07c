//! In which codec a topic's batches are stored (`compression.type`).

use std::fmt;

/// In which codec a topic's batches are stored (Kafka's `compression.type` of a topic).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerCompressionType {
    /// In the codec that each comes in.
    #[default]
    Producer,
    /// Uncompressed.
    Uncompressed,
    /// In gzip, at `compression.gzip.level`.
    Gzip,
    /// In snappy.
    Snappy,
    /// In lz4, at `compression.lz4.level`.
    Lz4,
    /// In zstd, at `compression.zstd.level`.
    Zstd,
}

impl BrokerCompressionType {
    const ALL: [Self; 6] = [Self::Producer, Self::Uncompressed, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Kafka's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Uncompressed => "uncompressed",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

impl fmt::Display for BrokerCompressionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
