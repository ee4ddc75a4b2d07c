//! What a pass over a log knows of transactions (Kafka's `CleanedTransactionMetadata`): which records are void because
//! their transaction was aborted, and which markers nobody needs any more because nothing of their transaction is left.

use std::collections::{HashMap, HashSet};

use crate::log::index::transaction::TransactionEntry;
use crate::record::{BatchHeader, ControlRecordType};
use crate::types::ProducerId;

/// Follows the transactions of a log, batch by batch in the order of offsets.
#[derive(Debug, Default)]
pub(super) struct CleanedTransactions {
    /// Aborted transactions that the walk has not come to, the next one last.
    ahead: Vec<TransactionEntry>,
    /// Aborted transactions that the walk is in, and whether there was a record of it.
    aborted: HashMap<ProducerId, (TransactionEntry, bool)>,
    /// Producers with records of a transaction that is going to be committed.
    committed: HashSet<ProducerId>,
    /// Aborted transactions of which the walk has come by records, and then by the marker.
    retained: Vec<TransactionEntry>,
}

impl CleanedTransactions {
    /// For a walk over a part of a log in which these transactions were aborted.
    pub(super) fn new(mut aborted: Vec<TransactionEntry>) -> Self {
        aborted.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.aborted.first_offset));
        Self { ahead: aborted, ..Self::default() }
    }

    /// Comes by a batch of data. True if it is void.
    pub(super) fn is_aborted(&mut self, batch: &BatchHeader) -> bool {
        self.enter(batch);
        if !batch.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&batch.producer_id) {
            Some((_, has_records)) => *has_records = true,
            None => drop(self.committed.insert(batch.producer_id)),
        }
        self.aborted.contains_key(&batch.producer_id)
    }

    /// Comes by a batch with a control record of this type, or without one if compaction emptied it. True if nothing is
    /// left of what it stands for.
    pub(super) fn is_marker_of_nothing(
        &mut self,
        batch: &BatchHeader,
        control_type: Option<ControlRecordType>,
    ) -> bool {
        self.enter(batch);
        match control_type {
            Some(ControlRecordType::Abort) => match self.aborted.remove(&batch.producer_id) {
                Some((entry, true)) => {
                    self.retained.push(entry);
                    false
                }
                _ => true,
            },
            Some(ControlRecordType::Commit) => !self.committed.remove(&batch.producer_id),
            Some(_) => false,
            None => true,
        }
    }

    /// What belongs into the transaction index of the segment that was written since the last call.
    pub(super) fn take_retained(&mut self) -> Vec<TransactionEntry> {
        std::mem::take(&mut self.retained)
    }

    fn enter(&mut self, batch: &BatchHeader) {
        let has_begun = |entry: &mut TransactionEntry| entry.aborted.first_offset <= batch.last_offset();
        while let Some(entry) = self.ahead.pop_if(has_begun) {
            self.aborted.entry(entry.aborted.producer_id).or_insert((entry, false));
        }
    }
}
