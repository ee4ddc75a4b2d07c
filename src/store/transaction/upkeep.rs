//! What is done for transactions from time to time: those that take too long are aborted, markers that could not be
//! appended before are, and ids that nobody uses are forgotten.

use std::sync::Arc;

use super::drive::BATCH_BYTES;
use super::metadata::TransactionMetadata;
use super::record::encode_key;
use super::{Entry, Turn};
use crate::error::{Error, Result};
use crate::record::{BatchBuilder, RecordData};
use crate::store::StoreInner;
use crate::types::Acks;

impl StoreInner {
    /// Goes on with the transactions that are decided and not complete. Returns what failed, to be tried again.
    pub(in crate::store) fn finish_transactions(&self) -> Vec<Error> {
        let unfinished = self.transactions.unfinished.lock().clone();
        let finish = |id: &Arc<str>| self.if_idle(id, |_, entry, turn| self.finish(id, entry, turn));
        unfinished.iter().filter_map(|id| finish(id).err()).collect()
    }

    /// Aborts the transactions that have been open for longer than their timeouts, and fences their producers.
    pub(in crate::store) fn abort_timed_out_transactions(&self, now_ms: i64) -> Vec<Error> {
        self.for_all(
            |known| known.is_timed_out(now_ms),
            |known, entry, turn| {
                self.write_down(entry, known.fence(now_ms), Acks::All)?;
                self.finish(&known.transactional_id, entry, turn)
            },
        )
    }

    /// Forgets the transactional ids that have not been used for `transactional.id.expiration.ms`. Should the loss of
    /// power bring one back, it expires once more.
    pub(in crate::store) fn expire_transactional_ids(&self, now_ms: i64) -> Vec<Error> {
        let expiration_ms = i64::from(self.config.transactional_id_expiration_ms);
        self.for_all(
            |known| known.is_expired(now_ms, expiration_ms),
            |known, entry, _| {
                let log = self.transaction_log(&known.transactional_id)?;
                let mut builder = BatchBuilder::new(BATCH_BYTES);
                builder.push(&RecordData::new(Some(&encode_key(&known.transactional_id)), None).at(now_ms.max(0)))?;
                let batch = builder.build()?;
                self.reserve.run(|| log.append(batch, Acks::Leader))?;
                *entry.current.lock() = None;
                self.transactions.entries.lock().remove(&known.transactional_id);
                Ok(())
            },
        )
    }

    /// Does something with each id that is so, and with which nobody else does something. Returns what failed.
    fn for_all(
        &self,
        is_so: impl Fn(&TransactionMetadata) -> bool,
        run: impl Fn(&TransactionMetadata, &Entry, &mut Turn) -> Result<()>,
    ) -> Vec<Error> {
        let known = self.transactions.all();
        let run_if_so = |id: &Arc<str>| {
            self.if_idle(id, |known, entry, turn| if is_so(known) { run(known, entry, turn) } else { Ok(()) })
        };
        known.iter().filter(|known| is_so(known)).filter_map(|known| run_if_so(&known.transactional_id).err()).collect()
    }

    /// Does something with an id unless somebody else does: another time will do.
    fn if_idle(
        &self,
        id: &Arc<str>,
        run: impl FnOnce(&TransactionMetadata, &Entry, &mut Turn) -> Result<()>,
    ) -> Result<()> {
        let Some(entry) = self.transactions.entry(id) else { return Ok(()) };
        let Some(mut turn) = entry.turn.try_lock() else { return Ok(()) };
        // It may have expired just now.
        let Some(known) = entry.current() else { return Ok(()) };
        run(&known, &entry, &mut turn)
    }
}
