//! Esker: the log of Apache Kafka as an embeddable library.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod clock;
mod error;
pub mod io;
pub mod record;
#[cfg(feature = "sim")]
pub mod sim;
mod types;

pub use error::{Corruption, Error, Result};
pub use types::{Acks, LeaderEpoch, NO_PRODUCER_ID, NO_TIMESTAMP, Offset, ProducerId, TopicPartition};
