//! Esker's files held to Apache Kafka's own code.
//!
//! The same [scenario] is played on both engines, [esker](ours) and [Kafka](theirs), and each has to find in the
//! other's directory what was written. What there is to find is a [`Description`](description::Description).
//!
//! Kafka runs in a [process] of its own, which `run` builds from the sources in `java` and Kafka's released jars.

pub mod batch;
pub mod description;
pub mod dump;
pub mod engine;
pub mod files;
pub mod ours;
pub mod process;
pub mod scenario;
pub mod theirs;
