//! The options of commands that produce, by the names of Kafka's configs.

use esker::record::Compression;
use esker::{Acks, ProducerConfig};

use crate::key_value::key_value;

#[derive(Debug, clap::Args)]
pub(crate) struct ProducerArgs {
    /// What a record must survive: 1 the death of this process, all the loss of power [default: all]
    #[arg(long, value_name = "0|1|all")]
    acks: Option<Acks>,
    /// The codec of the batches: none, gzip, snappy, lz4 or zstd [default: none]
    #[arg(long, value_name = "CODEC")]
    compression: Option<Compression>,
    /// How hard the codec compresses: gzip 1 to 9, zstd up to 22
    #[arg(long, value_name = "N", requires = "compression")]
    compression_level: Option<i32>,
    /// How many bytes a batch may have before it is compressed
    #[arg(long, value_name = "BYTES")]
    batch_size: Option<usize>,
    /// How long a batch waits for more records, in milliseconds; over the network none does, and what the input has
    /// goes out as soon as what was sent before is acknowledged [default: 5]
    #[arg(long, value_name = "MS")]
    linger_ms: Option<u64>,
    /// Whether batches carry sequence numbers, which needs acks=all [default: true with acks=all]
    #[arg(long, value_name = "true|false")]
    idempotence: Option<bool>,
    /// A config of the producer, such as max.block.ms=1000
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
}

impl ProducerArgs {
    /// What is waited for.
    pub(crate) fn acks(&self) -> Acks {
        let of_config =
            || self.configs.iter().rev().find(|(key, _)| key == "acks").and_then(|(_, acks)| acks.parse().ok());
        self.acks.or_else(of_config).unwrap_or_default()
    }

    /// The defaults with what was given. An option counts more than a config.
    pub(crate) fn config(&self, defaults: ProducerConfig) -> esker::Result<ProducerConfig> {
        let mut config = defaults;
        for (key, value) in &self.configs {
            config.set(key, value)?;
        }
        let named = [
            ("batch.size", self.batch_size.map(|bytes| bytes.to_string())),
            ("linger.ms", self.linger_ms.map(|milliseconds| milliseconds.to_string())),
            ("enable.idempotence", self.idempotence.map(|idempotence| idempotence.to_string())),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                config.set(key, &value)?;
            }
        }
        if let Some(acks) = self.acks {
            config = config.acks(acks);
        }
        if let Some(compression) = self.compression {
            config = config.compression(compression);
            if let Some(level) = self.compression_level {
                config = config.compression_level(compression, level);
            }
        }
        Ok(config)
    }
}
