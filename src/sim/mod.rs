//! A simulated disk and clock, to see what crashes and disk faults do to a store, or to an application around one.
//!
//! [`FaultStorage`] is an [`esker::io::Storage`](crate::io::Storage) in memory that does exactly what that trait
//! promises and no more. A crash test runs some work once to learn how many points there are where the machine can
//! crash, and then once for each of them:
//!
//! ```
//! use std::path::Path;
//! use esker::io::{Storage, replace_file};
//! use esker::sim::{Crash, FaultStorage};
//!
//! # fn main() -> std::io::Result<()> {
//! fn work(storage: &dyn Storage) -> std::io::Result<()> {
//!     replace_file(storage, Path::new("balance"), b"200")
//! }
//!
//! let start = FaultStorage::new(0);
//! start.set_contents("balance", b"100")?;
//! let rehearsal = start.after_crash(Crash::Process, 0);
//! work(&rehearsal)?;
//!
//! for point in 0..rehearsal.mutations() {
//!     for seed in 0..20 {
//!         let storage = start.after_crash(Crash::Process, seed); // a copy of the start
//!         storage.crash_at(point);
//!         work(&storage).expect_err("it crashed");
//!         let restarted = storage.after_crash(Crash::Power, seed);
//!         let balance = restarted.read(Path::new("balance"))?;
//!         assert!(balance == b"100" || balance == b"200", "crash at {point}, seed {seed}: {balance:?}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The fault model
//!
//! **The process dies** ([`Crash::Process`]): everything that a call has returned from is kept, for the kernel has it.
//! What was reserved and not given back is still part of the file and reads as zeros. Locks are let go. What was not
//! synced before is not synced now either: power may be lost next.
//!
//! **Power is lost** ([`Crash::Power`]): only what has been synced is kept for certain. Of the rest any part may be
//! kept, by seed:
//! - *any subset of the pages written*: of each page of 4096 bytes that was written since the last sync, the device
//!   has what was there before, or the new page, or a mixture of the two in sectors of 512 bytes. Before is zeros, or
//!   after a cut the bytes that were cut off;
//! - *any length up to what was reserved*, and not below what has been synced. Bytes that are missing read as zeros;
//! - *any subset of the names created, renamed or removed*. A rename is atomic: the file is under either name, never
//!   under both and never under neither. A name never points to nothing, but it may well point to a file without
//!   its contents. A file that has lost its name is gone, synced or not, and so is one in a directory that has lost
//!   its name. A change of a name is kept only together with the earlier changes of the same name; the removal of a
//!   directory only with the changes in it; and a rename only with the creation of the directory that it leads to.
//!
//! **A crash in the middle of an operation** leaves all of it, nothing, or a part:
//! - of an append, any of the sectors, the others being zeros, and behind what is reserved any length;
//! - of a reservation, any part of the space;
//! - of opening a file for appending, a new name, but not the cut;
//! - of a cut, the cut without its sync;
//! - of the creation or removal of a tree of directories, the first few steps.
//!
//! **A sync that fails** writes any part of what it should have written, and the kernel takes all of it for written.
//! Readers go on seeing what was appended, but a later sync that succeeds does not make it durable, apart from pages
//! that were written to again in between. The length stays uncertain until then.
//!
//! **Every other operation that fails** has no effect. Reads are never short and never return other bytes than the
//! kernel has, unless a test damages the file ([`FaultStorage::flip_bit`] and its neighbours).
//!
//! The model is harsher than common file systems in one way, for it keeps changes of different names independently,
//! where journals keep them in order; and milder in another: a page that has been synced, and is not written to again,
//! is never lost.

mod disk;
mod fault;
mod fault_storage;
mod file;
mod manual_clock;
mod names;
mod random;
mod schedule;

pub use fault::{Fault, Operation};
pub use fault_storage::{Crash, FaultStorage, Lie};
pub use manual_clock::ManualClock;
