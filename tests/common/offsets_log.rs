//! The log that a coordinator of groups writes to, as far as its tests need one: batches become durable in no order, or
//! can't be appended at all, and a crash leaves what is durable, and perhaps more.

use esker::coordinator::{GroupRecord, WriteId};

use super::random::Random;

#[derive(Debug, Default)]
pub struct OffsetsLog {
    batches: Vec<Batch>,
    /// How many batches would survive a crash.
    durable: usize,
    writing: Vec<Write>,
}

/// What a group has written at once.
#[derive(Debug)]
pub struct Batch {
    pub group: String,
    pub records: Vec<GroupRecord>,
}

/// What the coordinator waits for.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    pub id: WriteId,
    /// How many batches there are with it; none if it could not be appended.
    pub end: Option<usize>,
}

impl OffsetsLog {
    /// Appends a batch, unless that goes wrong. Returns whether its group is no more: that is always appended, for
    /// nobody waits to hear how it went.
    pub fn append(&mut self, id: Option<WriteId>, batch: Batch, random: &mut Random) -> bool {
        let last = batch.records.last();
        let is_gone = matches!(last, Some(GroupRecord::ConsumerGroup(None) | GroupRecord::Classic(None)));
        let is_gone = is_gone && id.is_none();
        let appends = is_gone || !random.one_in(10);
        if appends {
            self.batches.push(batch);
        }
        self.writing.extend(id.map(|id| Write { id, end: appends.then_some(self.batches.len()) }));
        is_gone
    }

    /// Any of the writes that the coordinator waits for is over.
    pub fn finish(&mut self, random: &mut Random) -> Option<Write> {
        let last = self.writing.len().checked_sub(1)?;
        Some(self.writing.swap_remove(random.below(last as u64 + 1) as usize))
    }

    /// So many batches are durable, or more.
    pub fn sync(&mut self, end: usize) {
        self.durable = self.durable.max(end);
    }

    /// Some of what was not durable is there all the same, and is made durable before anybody reads it. The last batch
    /// may be lost although it was durable, which is a bug.
    pub fn crash(&mut self, loses_last: bool, random: &mut Random) {
        let undecided = (self.batches.len() - self.durable) as u64;
        self.batches.truncate(self.durable + random.below(undecided + 1) as usize);
        if loses_last {
            self.batches.pop();
        }
        self.durable = self.batches.len();
        self.writing.clear();
    }

    /// Loses batches although they were durable, after a crash. A bug.
    pub fn lose(&mut self, is_lost: impl Fn(&Batch) -> bool) {
        self.batches.retain(|batch| !is_lost(batch));
        self.durable = self.batches.len();
    }

    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Whether the coordinator waits for anything.
    pub fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }
}
