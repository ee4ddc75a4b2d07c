//! Testing your own code: with a store of its own for each test, and against crashes and failing disks, with
//! [`sim`](crate::sim) (feature `sim`).
//!
//! # A store for a test
//!
//! A [`MemoryStorage`](crate::io::MemoryStorage) touches no disk, so that tests are fast and share nothing. It needs no
//! feature, and clones of it are the same files, for a test that closes the store and opens it again.
//! [`Store::temporary`](crate::Store::temporary) is the same on the real disk, in a directory that goes with the store.
//! With the feature `net`, a `Server` on either is a broker for a test of Kafka clients.
//!
//! ```
//! use std::sync::Arc;
//! use esker::{Store, io::MemoryStorage};
//!
//! # fn main() -> esker::Result<()> {
//! let store = Store::options().storage(Arc::new(MemoryStorage::new())).open("data")?;
//! # Ok(())
//! # }
//! ```
//!
//! # A disk that fails
//!
//! Code around a store has promises of its own: a payment that was confirmed is never lost, a job is never done zero
//! times. Whether they hold shows when the machine stops between two of its steps, and there are too many of these to
//! wait for. A [`FaultStorage`](crate::sim::FaultStorage) is a disk in memory that keeps exactly what
//! [`io`](crate::io) promises and no more, that crashes at a chosen operation or fails there, and that does the same
//! again for the same seed. Add it where you test and nowhere else:
//!
//! ```toml
//! [dev-dependencies]
//! esker = { version = "0.1", features = ["sim"] }
//! ```
//!
//! # Crash everywhere
//!
//! Run the work once to count its operations on the disk. Then run it again from the start for each of them, crash
//! there, restart on what is left, and check the promise. For the loss of power any part of what was not synced may be
//! left; the seed decides, so try several.
//!
//! ```
//! use std::sync::Arc;
//! use esker::sim::{Crash, FaultStorage};
//! use esker::{Acks, Maintenance, ProducerConfig, Record, Store, TopicConfig};
//!
//! fn open(disk: &FaultStorage) -> esker::Result<Store> {
//!     // No thread, so that every run does the same operations in the same order.
//!     Store::options().storage(Arc::new(disk.clone())).maintenance(Maintenance::Manual).open("data")
//! }
//!
//! /// The code under test: confirms orders, and returns those that it has confirmed.
//! fn confirm_orders(disk: &FaultStorage, confirmed: &mut Vec<String>) -> esker::Result<()> {
//!     let store = open(disk)?;
//!     store.create_topic("orders", TopicConfig::new())?;
//!     let producer = store.producer(ProducerConfig::new().acks(Acks::All))?;
//!     for order in ["tea", "bread", "salt"] {
//!         producer.send(Record::to("orders").value(order))?;
//!         confirmed.push(order.to_owned()); // from here on the customer relies on it
//!     }
//!     Ok(())
//! }
//!
//! fn orders_in(disk: &FaultStorage) -> esker::Result<usize> {
//!     let store = open(disk)?;
//!     match store.partition("orders", 0) {
//!         Ok(log) => Ok(log.log_end() as usize),
//!         Err(_) => Ok(0), // the crash came before the topic
//!     }
//! }
//!
//! # fn main() -> esker::Result<()> {
//! let rehearsal = FaultStorage::new(0);
//! confirm_orders(&rehearsal, &mut Vec::new())?;
//! for point in 0..rehearsal.mutations() {
//!     for seed in 0..5 {
//!         let disk = FaultStorage::new(seed);
//!         disk.crash_at(point);
//!         let mut confirmed = Vec::new();
//!         let _ = confirm_orders(&disk, &mut confirmed); // fails at the crash, or has just finished
//!         let found = orders_in(&disk.after_crash(Crash::Power, seed))?;
//!         assert!(found >= confirmed.len(), "crash at {point}, seed {seed}: {found} of {confirmed:?}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Does such a test test anything? Break the code and see: with `Acks::Leader` it fails. Or have the disk lie:
//! [`FaultStorage::lie_about`](crate::sim::FaultStorage::lie_about) makes it acknowledge syncs that it doesn't do.
//!
//! # Fail on demand
//!
//! A [`Fault`](crate::sim::Fault) makes chosen operations fail: the nth append, every sync of an index, anything below
//! a directory. What does your code do when an append comes back with an error, and is it true what it then tells its
//! own callers?
//!
//! ```
//! # use std::sync::Arc;
//! use esker::sim::{Fault, FaultStorage, Operation};
//! use esker::{Error, Maintenance, ProducerConfig, Record, Store, TopicConfig};
//!
//! # fn main() -> esker::Result<()> {
//! let disk = FaultStorage::new(0);
//! let store = Store::options().storage(Arc::new(disk.clone())).maintenance(Maintenance::Manual).open("data")?;
//! store.create_topic("orders", TopicConfig::new())?;
//! let producer = store.producer(ProducerConfig::new())?;
//! producer.send(Record::to("orders").value("tea"))?;
//!
//! // The device is full: the record is refused, and everything is as before.
//! disk.set_capacity(disk.used());
//! let large = vec![0; 1 << 19];
//! let refused = (0..64).find_map(|_| producer.send(Record::to("orders").value(large.clone())).err());
//! assert!(matches!(refused, Some(Error::StorageFull { .. })));
//! disk.set_capacity(u64::MAX);
//! producer.send(Record::to("orders").value("bread"))?;
//!
//! // A sync fails: nobody can say any more what the device has, and the partition takes no more appends.
//! disk.inject(Fault::io_error().on(Operation::Sync));
//! assert!(producer.send(Record::to("orders").value("salt")).is_err());
//! assert!(matches!(producer.send(Record::to("orders").value("salt")), Err(Error::LogOffline { .. })));
//! # Ok(())
//! # }
//! ```
//!
//! # Bring your own clock
//!
//! Retention, expiry and timeouts read the clock that they are given. A
//! [`ManualClock`](crate::sim::ManualClock) moves a week in a line of code, and with
//! [`Maintenance::Manual`](crate::Maintenance::Manual) nothing happens until the test calls
//! [`Store::tick`](crate::Store::tick): [`guide::retention`](super::retention) has an example.
//!
//! # What it is not
//!
//! Threads still run as the system pleases: a crash test that is to repeat itself does its work in one thread. The
//! model of the disk is written down in [`sim`](crate::sim); what it leaves out, such as bits that rot by themselves, a
//! test does with [`flip_bit`](crate::sim::FaultStorage::flip_bit) and its neighbours.
