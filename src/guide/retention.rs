//! Retention and compaction: when a record goes, and which ones are kept.
//!
//! A log is a row of *segments*, files of up to `segment.bytes`. Records are appended to the last one, the active
//! segment; the others are closed and never change. Whatever deletes records deletes or rewrites closed segments, so
//! small segments give space back sooner, and large ones cost fewer files.
//!
//! | `cleanup.policy` | keeps | for |
//! |---|---|---|
//! | `delete` (default) | the newest records, by age and size | events, queues, logs |
//! | `compact` | the last record of each key | state: profiles, stock, committed offsets |
//! | `compact,delete` | the last record of each key, unless it is too old | sessions, caches |
//!
//! # Retention
//!
//! With `delete`, segments go whole, the oldest first, once their newest record is older than `retention.ms` (seven
//! days), or once the partition holds `retention.bytes` without them. The active segment goes too when it is old
//! enough. Time is the records' own: with `message.timestamp.type=CreateTime` a record from last year goes at once.
//!
//! Files are renamed to `.deleted` at once and removed after `file.delete.delay.ms`; slices that readers hold stay
//! valid. A reader that retention has overtaken is reset as `auto.offset.reset` says.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! # #[cfg(feature = "sim")] {
//! use esker::sim::{FaultStorage, ManualClock};
//! use esker::{Maintenance, ProducerConfig, Record, Store, TopicConfig};
//!
//! # fn main() -> esker::Result<()> {
//! // Seven days of retention, in no time: the clock is handed in, and so is the disk.
//! let clock = ManualClock::new(1_700_000_000_000);
//! let disk = FaultStorage::with_clock(0, clock.clone());
//! let store = Store::options()
//!     .storage(Arc::new(disk))
//!     .clock(Arc::new(clock.clone()))
//!     .maintenance(Maintenance::Manual)
//!     .open("data")?;
//! store.create_topic("events", TopicConfig::new())?;
//! store.producer(ProducerConfig::new())?.send(Record::to("events").value("old"))?;
//!
//! let log = store.partition("events", 0)?;
//! store.tick()?;
//! assert_eq!(log.log_start(), 0);
//! clock.advance(Duration::from_secs(8 * 24 * 3600));
//! store.tick()?;
//! assert_eq!((log.log_start(), log.log_end()), (1, 1));
//! # Ok(()) }
//! # main().unwrap(); }
//! ```
//!
//! Topics that a broker created are not shortened here until somebody configures them
//! ([`Store::alter_topic_configs`](crate::Store::alter_topic_configs)). Kafka keeps their configs in its metadata log,
//! so whether they are to be kept forever, or compacted, is not known; `topic-config-checkpoint` tells which topics
//! were created or configured here.
//!
//! To delete by hand, up to an offset and for good, there is
//! [`Log::delete_records`](crate::Log::delete_records). It lasts from when it returns; the space comes back with the
//! next look at retention.
//!
//! # Compaction
//!
//! With `compact`, a record goes once a later one has the same key. What is left is a snapshot of the newest value of
//! every key, in the order in which they were written, followed by what was written since: who reads it from the
//! beginning comes to the same state as who has read everything. Records must have keys; one without is refused with
//! [`Error::InvalidRecord`](crate::Error::InvalidRecord).
//!
//! A record without a value, a *tombstone*, deletes its key. It stays for `delete.retention.ms` after the first pass
//! over it, so that a reader who is slower than compaction still hears of the deletion.
//!
//! ```
//! use esker::{AutoOffsetReset, CleanupPolicy, ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
//! use std::time::Duration;
//!
//! # fn main() -> esker::Result<()> {
//! let store = Store::temporary()?;
//! let config = TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT);
//! store.create_topic("profiles", config)?;
//! let producer = store.producer(ProducerConfig::new())?;
//! for city in ["Bergen", "Oslo", "Tromsø"] {
//!     producer.send(Record::to("profiles").key("anna").value(city))?;
//! }
//! store.compact("profiles")?; // by itself it happens when half of the closed segments is new
//! producer.send(Record::to("profiles").key("anna").value("Bodø"))?;
//!
//! let mut consumer = store.consumer(ConsumerConfig::new().auto_offset_reset(AutoOffsetReset::Earliest))?;
//! consumer.assign_topics(["profiles"])?;
//! let mut left = Vec::new();
//! while left.len() < 2 {
//!     left.extend(consumer.poll(Duration::from_secs(1))?.into_iter().map(|record| (record.offset, record.value)));
//! }
//! // Offsets never change, and what came after the pass is left to the next one.
//! assert_eq!(left, [(2, Some("Tromsø".into())), (3, Some("Bodø".into()))]);
//! # Ok(())
//! # }
//! ```
//!
//! | config | default | what it does |
//! |---|---|---|
//! | `min.cleanable.dirty.ratio` | 0.5 | compacts a log once more than this share of it is new since the last time |
//! | `min.compaction.lag.ms` | 0 | leaves segments alone that have younger records |
//! | `max.compaction.lag.ms` | no limit | compacts a log with older records whatever its ratio |
//! | `delete.retention.ms` | a day | how long a tombstone stays after the first pass over it |
//! | `log.cleaner.enable` | true | whether any of this happens by itself |
//! | `log.cleaner.dedupe.buffer.size` | 128 MiB | how much memory the keys of one pass may take |
//! | `log.cleaner.io.max.bytes.per.second` | no limit | how much is read and written |
//! | `log.cleaner.backoff.ms` | 15 s | how long to wait when nothing is dirty enough |
//!
//! The first four are a topic's, the others fields of [`StoreConfig`](crate::StoreConfig). The active segment is never
//! compacted: one that is small and old is closed by `segment.ms` or `max.compaction.lag.ms`. A pass reads the keys of
//! the new part, 24 bytes each, and then writes the segments anew; each tick does up to 16 MiB of that, so a program
//! that calls [`Store::tick`](crate::Store::tick) itself never waits long, and compacts no faster than it ticks.
//! [`Store::compact`](crate::Store::compact) does it all at once, and
//! [`Log::last_compaction`](crate::Log::last_compaction) tells what came of it. A crash at any point leaves the old
//! segments or the new one, never both and never neither.
//!
//! Of transactions, records that were aborted go, and markers stay as long as somebody may need them. What can't be
//! read is never compacted away: a pass that comes to damage, or to a codec that is not built in, ends with that error.
