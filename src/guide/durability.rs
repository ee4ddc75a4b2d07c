//! What survives what, and why.
//!
//! # Three levels
//!
//! | [`Acks`](crate::Acks) | Kafka | a call returns when | survives |
//! |---|---|---|---|
//! | `None` | `acks=0` | the record is handed over | nothing is promised |
//! | `Leader` | `acks=1` | the batch is in the log, in the kernel's page cache | the death of the process (`kill -9`) |
//! | `All` | `acks=all` | the batch has been synced to its device | the loss of power |
//!
//! Kafka answers `acks=all` once the in-sync replicas have the data in memory, and leaves the device to the operating
//! system. Esker syncs first. Who wants Kafka's weaker promise sets
//! [`SyncPolicy::OsManaged`](crate::SyncPolicy::OsManaged).
//!
//! A sync is shared: the first caller to wait leads it for everyone who has appended by then. One caller alone pays one
//! sync and no thread switch; sixteen pay little more than one. Whoever has no thread to wait with awaits what
//! [`Producer::send_async`](crate::Producer::send_async) returns, or [`Log::synced`](crate::Log::synced), on any
//! runtime.
//!
//! ```
//! use esker::{Acks, ProducerConfig, Record, Store, TopicConfig};
//!
//! # fn main() -> esker::Result<()> {
//! let store = Store::temporary()?;
//! store.create_topic("orders", TopicConfig::new())?;
//!
//! // Survives the loss of power once `send` has returned.
//! let careful = store.producer(ProducerConfig::new().acks(Acks::All))?;
//! careful.send(Record::to("orders").value("paid"))?;
//!
//! // Survives the death of the process. Many records share a batch; `flush` waits for all of them.
//! let quick = store.producer(ProducerConfig::new().acks(Acks::Leader))?;
//! for _ in 0..1000 {
//!     let _ = quick.send_async(Record::to("orders").value("seen"))?;
//! }
//! quick.flush()?;
//! # Ok(())
//! # }
//! ```
//!
//! # When a sync fails
//!
//! The kernel may have dropped the pages that it could not write, so that a later sync succeeds without them. A failed
//! sync is therefore final: every waiter gets [`Error::LogOffline`](crate::Error::LogOffline), the partition takes no
//! more appends, and only opening the store again, which recovers from what the device has, brings it back. Reads go
//! on.
//!
//! # When there is no space
//!
//! Space is reserved before it is touched, so a full device is [`Error::StorageFull`](crate::Error::StorageFull) from
//! the append that needed more; the log is unchanged, readers notice nothing, and appends work again once there is
//! space.
//!
//! # After a crash
//!
//! Opening goes through everything past the recovery point, batch by batch. At the first batch that is not whole the
//! log is cut: from there on nothing had been acknowledged at `All`. Zeros are space that had been reserved; any other
//! bytes are kept in a `.cut` file beside the segment. Below the recovery point everything had been on the device, so
//! what is wrong there is damage: it stays where it is, readers of exactly those offsets get
//! [`Error::CorruptRecord`](crate::Error::CorruptRecord), and those who seek past it go on.
//!
//! ```no_run
//! # fn main() -> esker::Result<()> {
//! let store = esker::Store::open("data")?;
//! let report = store.recovery_report();
//! if !report.is_healthy() {
//!     for partition in &report.partitions {
//!         for cut in &partition.cuts {
//!             eprintln!("{}: {} bytes kept as {}: {}", cut.file, cut.bytes, cut.kept_as, cut.reason);
//!         }
//!         for damage in &partition.damage {
//!             eprintln!("{}", damage.error);
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What holds where
//!
//! On Linux a sync is `fdatasync`, and active files are mapped, reserved and populated ahead. Batches beyond 128 KiB
//! are written by system calls all the same; while a file is synced every few appends, so are smaller ones, which costs
//! a sync less, and zeros ahead of them: the device gets twice the bytes, and the file system's journal an entry for
//! each MiB in place of one for each sync. On macOS a sync is `F_FULLFSYNC`, since `fsync` there reaches the drive's
//! cache only. On other systems files are read and written by system calls. Only Linux is tested.
//!
//! A map has a price: a device that fails under a mapped page ends the process (`SIGBUS`), where a system call returns
//! an error, and on file systems that copy on write a full device can do that too. Use
//! [`FsStorage::without_mmap`](crate::io::FsStorage::without_mmap) there.
