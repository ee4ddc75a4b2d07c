//! Esker against Kafka: in one program, so that Kafka is started once.

mod beside;
mod compaction;
mod dumps;
mod exchange;
mod recovery;
mod same_files;
mod transactions;
