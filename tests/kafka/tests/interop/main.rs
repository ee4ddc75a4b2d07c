//! Esker against Kafka: in one program, so that Kafka is started once.

mod assignors;
mod beside;
mod compaction;
mod dumps;
mod exchange;
mod recovery;
mod same_files;
mod transactions;
mod wire;

// The messages at random that esker's own tests of the wire protocol are made of.
#[allow(dead_code, reason = "those use all of it")]
#[path = "../../../wire_codec/generate.rs"]
mod generate;
#[allow(dead_code, reason = "those use all of it")]
#[path = "../../../common/random.rs"]
mod random;
