//! Looking at what a partition has written down of its producers: that their snapshots are whole, and that its
//! transaction indexes have what was aborted in the log.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::file_name::{SNAPSHOT, TRANSACTION_INDEX, parse_base_offset};
use super::findings::{Findings, Problem};
use super::index::transaction::{has_all, is_sane};
use super::producer_state::reload::replay_segment;
use super::producer_state::{ProducerStates, snapshot};
use super::segment::{Home, Segment};
use crate::error::{Error, Result};
use crate::io::DirEntry;
use crate::types::Offset;

/// Looks at the snapshots among `entries`. One that is not whole may be on its way in, and is looked at again in the
/// end.
pub(super) fn verify_snapshots(home: &Home, entries: &[DirEntry], findings: &mut Findings<'_>) -> Result<()> {
    for entry in entries.iter().filter(|entry| parse_base_offset(&entry.name, SNAPSHOT).is_some()) {
        let path = home.dir.join(&entry.name);
        match snapshot::is_whole(&*home.storage, &path) {
            Ok(true) => findings.looked_at(&path, entry.len),
            Ok(false) => findings.add_snapshot(&path),
            Err(error) => unless_gone(error).map_err(|error| Error::io("read", path, error))?,
        }
    }
    Ok(())
}

/// Walks through the segments of a partition, and knows on the way which transactions are open.
pub(super) struct Transactions {
    home: Arc<Home>,
    /// None where it isn't known: before the first segment, after damage, or because compaction took records out.
    states: Option<ProducerStates>,
}

impl Transactions {
    /// Before the segment at `first`, the first one.
    pub(super) fn new(home: &Arc<Home>, first: Offset, may_have_gaps: bool) -> Self {
        let known = || match snapshot::read(home, first) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && first == 0 => Some(ProducerStates::default()),
            known => known.ok().flatten(),
        };
        Self { home: home.clone(), states: if may_have_gaps { None } else { known() } }
    }

    /// A segment is passed over, or some of it could not be read.
    pub(super) fn lose_track(&mut self) {
        self.states = None;
    }

    /// Holds the transaction index of a segment, after which the one at `next_base` comes, against its log.
    pub(super) fn verify(&mut self, segment: &Segment, next_base: Offset, findings: &mut Findings<'_>) -> Result<()> {
        let mut aborted = Vec::new();
        if let Some(states) = self.states.as_mut().filter(|_| segment.end().size > 0) {
            replay_segment(segment, states, segment.base_offset(), &mut aborted)?;
        }
        let path = self.home.path(segment.base_offset(), TRANSACTION_INDEX);
        let index = match self.home.storage.open(&path) {
            Ok(file) => file.view(0, file.len() as usize).map_err(|error| Error::io("read", &path, error))?,
            Err(error) => unless_gone(error).map(|()| Bytes::new()).map_err(|error| Error::io("open", &path, error))?,
        };
        if !is_sane(&index, segment.base_offset(), next_base) || !has_all(&index, &aborted) {
            findings.add(&path, 0, Problem::WrongTransactionIndex);
        }
        findings.looked_at(&path, index.len() as u64);
        Ok(())
    }
}

fn unless_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
