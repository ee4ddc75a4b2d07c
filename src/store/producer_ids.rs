//! Producer ids: each is given out once, whatever crashes.
//!
//! They are taken in blocks of 1000, as in Kafka. A block is written down in `producer-id-checkpoint` (a file of ours,
//! in the form of Kafka's checkpoints) before any id of it is given out; what a crash leaves of a block is never used.
//!
//! ```text
//!   0              version
//!   1              number of entries
//!   4294969296     the first id of the next block
//! ```

use std::ops::Range;
use std::path::PathBuf;

use parking_lot::Mutex;

use super::layout::Layout;
use super::{Store, StoreInner};
use crate::error::Result;
use crate::log::{Log, checkpoint};
use crate::types::{COUNTED_ID_MAX, ProducerId};

pub(super) const CHECKPOINT: &str = "producer-id-checkpoint";
const BLOCK_LEN: i64 = 1000;

/// A broker that opens this directory later counts from 0 on in its own cluster. Two producers of one id would be taken
/// for each other, and the records of one for duplicates; so ours begin where Kafka's never get to.
const FIRST_ID: ProducerId = 1 << 32;
/// The ids that are left of the block that was taken last.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    left: Mutex<Range<ProducerId>>,
}

impl ProducerIds {
    /// An id that was never given out before, and is higher than those that are known to be in use. The checkpoint
    /// alone sees to the first, and so it never goes back, however high it has come.
    fn next(&self, store: &StoreInner) -> Result<ProducerId> {
        let mut left = self.left.lock();
        // In its turn: whoever closes the store waits for those who have theirs after that.
        store.check_writable()?;
        if let Some(id) = left.next() {
            return Ok(id);
        }
        let layout = &store.layout;
        let first = read(layout)?.max(store.highest_producer_id().map_or(0, |id| id + 1)).max(FIRST_ID);
        let end = first + BLOCK_LEN;
        store.reserve.run(|| checkpoint::write(layout.storage(), &path(layout), &[[end.to_string()]]))?;
        *left = first + 1..end;
        Ok(first)
    }

    /// Waits for whoever is writing down a block.
    pub(super) fn wait(&self) {
        drop(self.left.lock());
    }
}

fn path(layout: &Layout) -> PathBuf {
    layout.dir.join(CHECKPOINT)
}

/// The first id of the next block, 0 if none was taken.
fn read(layout: &Layout) -> Result<ProducerId> {
    let path = path(layout);
    match checkpoint::read::<1>(layout.storage(), &path)?.first() {
        Some([next]) => Ok(checkpoint::offset(&path, next)?),
        None => Ok(0),
    }
}

impl StoreInner {
    pub(crate) fn new_producer_id(&self) -> Result<ProducerId> {
        self.producer_ids.next(self)
    }

    /// The highest producer id in use, by records in a log or by a transactional id.
    fn highest_producer_id(&self) -> Option<ProducerId> {
        let logs = self.logs();
        let in_logs = logs.iter().filter_map(Log::highest_producer_id);
        in_logs.chain(self.transactions.producer_ids()).filter(|id| *id <= COUNTED_ID_MAX).max()
    }
}

impl Store {
    /// A producer id that nobody has: for an idempotent producer, or a transactional one.
    pub(crate) fn new_producer_id(&self) -> Result<ProducerId> {
        self.inner.new_producer_id()
    }
}
