//! The transaction coordinator: which producer a transactional id belongs to, and how far its transaction is. The truth
//! is the topic `__transaction_state`, in Kafka's schema; this is what its records add up to.
//!
//! ```text
//!   metadata   what is known of an id, and how it changes: pure decisions
//!   record     its records, in Kafka's schema
//!   load       what the records add up to when a store is opened
//!   drive      events in, one after the other for each id: written down first, then markers into the partitions
//!   upkeep     what the maintenance does: timeouts, expiry, markers that could not be appended before
//!   client     what producers elsewhere need besides: each write is held against what is known
//!   describe   what can be seen from outside, and the end of transactions that nobody ends
//! ```
//!
//! # What a crash leaves
//!
//! ```text
//!   end: records of the transaction synced → Prepare written, synced → markers appended, synced → Complete written
//! ```
//!
//! Before the Prepare record is on the device nothing is decided: the transaction is open, and is aborted when its
//! producer comes back or its time is up. After it, opening the store goes on with the markers; one that comes twice
//! has nothing left to end. The Complete record may be lost, for then the markers are appended once more: before
//! anything of the next transaction can be appended, the record that says that it has begun is on the device, and
//! Complete before it.

#[cfg(feature = "net")]
mod client;
mod describe;
mod drive;
mod load;
mod metadata;
mod record;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::types::{ProducerId, TopicPartition};
#[cfg(feature = "net")]
pub(crate) use client::TakesPart;
pub use describe::{HangingTransaction, TransactionDescription, TransactionFilter};
use metadata::TransactionMetadata;

pub(super) const TRANSACTION_STATE: &str = "__transaction_state";

/// What the records of `__transaction_state` add up to.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    entries: Mutex<BTreeMap<Arc<str>, Arc<Entry>>>,
    /// Those that are decided, and not told to all of their partitions yet.
    unfinished: Mutex<BTreeSet<Arc<str>>>,
}

/// A transactional id.
#[derive(Debug)]
struct Entry {
    /// Held by whoever changes what is known of the id, from the decision until it is written down, so that they take
    /// turns. Nobody who has it may wait for the locks of [`StoreInner`](super::StoreInner) that are held for long,
    /// `altering` and `ticking`: the maintenance has the latter and waits for this.
    turn: Mutex<Turn>,
    /// What is known, which is on the device; None before the first record is. Held for a moment only.
    current: Mutex<Option<Arc<TransactionMetadata>>>,
}

/// What only the one whose turn it is needs to know.
#[derive(Debug, Default)]
struct Turn {
    /// The partitions that are still to be told how the transaction ended; None if that has not begun.
    unmarked: Option<BTreeSet<TopicPartition>>,
}

impl Entry {
    fn new(current: Option<TransactionMetadata>) -> Self {
        Self { turn: Mutex::default(), current: Mutex::new(current.map(Arc::new)) }
    }

    fn current(&self) -> Option<Arc<TransactionMetadata>> {
        self.current.lock().clone()
    }
}

impl Transactions {
    fn entry(&self, transactional_id: &str) -> Option<Arc<Entry>> {
        self.entries.lock().get(transactional_id).cloned()
    }

    /// What is known of an id.
    fn get(&self, transactional_id: &str) -> Option<Arc<TransactionMetadata>> {
        self.entry(transactional_id)?.current()
    }

    /// Whether this is still what stands for the id: it may have expired, and have come back as another.
    fn is_entry(&self, transactional_id: &str, entry: &Arc<Entry>) -> bool {
        self.entries.lock().get(transactional_id).is_some_and(|known| Arc::ptr_eq(known, entry))
    }

    /// The producer ids that are in use.
    pub(super) fn producer_ids(&self) -> Vec<ProducerId> {
        self.all().iter().map(|known| known.producer.producer_id.max(known.next_producer_id)).collect()
    }

    /// All ids of which something is known, in their order.
    fn all(&self) -> Vec<Arc<TransactionMetadata>> {
        let entries: Vec<_> = self.entries.lock().values().cloned().collect();
        entries.iter().filter_map(|entry| entry.current()).collect()
    }
}
