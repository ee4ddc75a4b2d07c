//! Which batches of a read are void, because their transaction was aborted: what a reader of committed records passes
//! over. The list of such transactions comes with the batches, from a log as in a Fetch response.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::record::batch::BatchView;
use crate::record::control::ControlRecordType;
use crate::types::{Offset, ProducerId};

/// Whose transactional batches are void, as the walk through what was read goes on.
#[derive(Clone, Debug, Default)]
pub struct AbortedProducers {
    /// Transactions that are yet to come, by their first offset, the last one first.
    coming: Vec<(ProducerId, Offset)>,
    /// The producers of those that are going on.
    going_on: HashSet<ProducerId>,
}

impl AbortedProducers {
    /// At the first of some batches, with the aborted transactions among them: each one's producer and first offset.
    pub fn new(aborted: impl IntoIterator<Item = (ProducerId, Offset)>) -> Self {
        let mut coming: Vec<_> = aborted.into_iter().collect();
        coming.sort_unstable_by_key(|(_, first_offset)| Reverse(*first_offset));
        Self { coming, going_on: HashSet::new() }
    }

    /// Whether the next batch of the walk is void. To be asked of each batch, control batches too, in their order.
    pub fn is_void(&mut self, batch: &BatchView) -> bool {
        let header = batch.header();
        while let Some((producer_id, _)) = self.coming.pop_if(|(_, first_offset)| *first_offset <= header.last_offset())
        {
            self.going_on.insert(producer_id);
        }
        if header.is_control() && is_abort_marker(batch) {
            self.going_on.remove(&header.producer_id);
        }
        header.is_transactional() && self.going_on.contains(&header.producer_id)
    }
}

fn is_abort_marker(batch: &BatchView) -> bool {
    let records = batch.records();
    let first = records.as_ref().ok().and_then(|records| records.iter().next()?.ok());
    first.and_then(|record| ControlRecordType::parse(record.key?).ok()) == Some(ControlRecordType::Abort)
}
