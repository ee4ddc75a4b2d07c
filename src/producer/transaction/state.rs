//! Where a transactional producer stands (what Kafka's `TransactionManager` knows): pure state. Whoever drives it does
//! the I/O, and tells what came of it.
//!
//! ```text
//!            begin                        end: told, or nothing to tell
//!   Ready ──────────▶ Open ───────────────────────────────────────────────▶ Ready
//!     ▲                │ a record or an offset failed: only an abort is left
//!     │                ▼
//!     │ abort        Open, failed ──▶ abort could not be told: Undecided ──▶ the next begin tells it first
//!     └────────────────┘
//!   fenced, at any time ──▶ Fenced, for good
//! ```

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::types::{ProducerIdAndEpoch, TopicPartition, TransactionState};

#[derive(Debug)]
pub(super) struct State {
    transactional_id: String,
    producer: ProducerIdAndEpoch,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Ready,
    Open(Open),
    /// It was given up, and the coordinator may not know.
    Undecided,
    /// Somebody else has the transactional id: why, for whoever asks.
    Fenced(Error),
}

#[derive(Debug, Default)]
struct Open {
    partitions: HashSet<TopicPartition>,
    groups: HashSet<String>,
    /// What went wrong first.
    failure: Option<Error>,
}

/// What to tell the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// It does not know of the transaction, since nothing takes part in it.
    Nothing,
    /// How it ends.
    End,
}

impl State {
    pub(super) fn new(transactional_id: String, producer: ProducerIdAndEpoch) -> Self {
        Self { transactional_id, producer, phase: Phase::Ready }
    }

    /// Whether the last transaction must be aborted before the next one begins.
    pub(super) fn is_undecided(&self) -> bool {
        matches!(self.phase, Phase::Undecided)
    }

    /// Whether there is a transaction to end.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_) | Phase::Undecided)
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) -> Result<()> {
        match &self.phase {
            Phase::Ready => {
                self.phase = Phase::Open(Open::default());
                Ok(())
            }
            Phase::Open(_) | Phase::Undecided => Err(self.impossible(TransactionState::Ongoing, "begin")),
            Phase::Fenced(fenced) => Err(fenced.clone()),
        }
    }

    /// Whether a transaction is open to which something can be added, or which can be committed.
    pub(super) fn check_open(&self, attempted: &'static str) -> Result<()> {
        match &self.phase {
            Phase::Open(Open { failure: None, .. }) => Ok(()),
            Phase::Open(Open { failure: Some(cause), .. }) => Err(Error::TransactionAbortable {
                transactional_id: self.transactional_id.clone(),
                cause: Box::new(cause.clone()),
            }),
            Phase::Ready | Phase::Undecided => Err(self.impossible(TransactionState::Empty, attempted)),
            Phase::Fenced(fenced) => Err(fenced.clone()),
        }
    }

    /// Whether the partition takes part in the transaction.
    pub(super) fn has_partition(&self, partition: &TopicPartition) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.partitions.contains(partition))
    }

    /// The coordinator knows of a partition that takes part.
    pub(super) fn add_partition(&mut self, partition: TopicPartition) {
        if let Phase::Open(open) = &mut self.phase {
            open.partitions.insert(partition);
        }
    }

    /// Whether the offsets of a group take part in the transaction.
    pub(super) fn has_group(&self, group: &str) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.groups.contains(group))
    }

    /// The coordinator knows of a group whose offsets take part.
    pub(super) fn add_group(&mut self, group: String) {
        if let Phase::Open(open) = &mut self.phase {
            open.groups.insert(group);
        }
    }

    /// Something of the transaction went wrong. Returns the error as it is to be told: partitions know of epochs, and not
    /// whose they are.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        let error = match error {
            Error::InvalidProducerEpoch { producer_id, current, .. } => Error::ProducerFenced {
                transactional_id: self.transactional_id.clone(),
                producer: self.producer,
                current: ProducerIdAndEpoch::new(producer_id, current),
            },
            other => other,
        };
        match (&mut self.phase, is_fatal(&error)) {
            (Phase::Fenced(_), _) => {}
            (_, true) => self.phase = Phase::Fenced(error.clone()),
            (Phase::Open(open), false) => drop(open.failure.get_or_insert_with(|| error.clone())),
            (Phase::Ready | Phase::Undecided, false) => {}
        }
        error
    }

    /// What to tell the coordinator when the open transaction is committed. After `Nothing` it has ended.
    pub(super) fn commit(&mut self) -> Result<Tell> {
        self.check_open("commit")?;
        Ok(self.end())
    }

    /// What to tell the coordinator when the transaction is aborted, if there is one. After `Nothing` it has ended.
    pub(super) fn abort(&mut self) -> Result<Tell> {
        match &self.phase {
            Phase::Open(_) => Ok(self.end()),
            Phase::Undecided => Ok(Tell::End),
            Phase::Ready => Err(self.impossible(TransactionState::Empty, "abort")),
            Phase::Fenced(fenced) => Err(fenced.clone()),
        }
    }

    fn end(&mut self) -> Tell {
        match &self.phase {
            Phase::Open(open) if open.partitions.is_empty() && open.groups.is_empty() => {
                self.phase = Phase::Ready;
                Tell::Nothing
            }
            _ => Tell::End,
        }
    }

    /// The coordinator was told to commit.
    pub(super) fn committed(&mut self, told: Result<()>) -> Result<()> {
        match told {
            Ok(()) => {
                self.phase = Phase::Ready;
                Ok(())
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The coordinator was told to abort.
    pub(super) fn aborted(&mut self, told: Result<()>) -> Result<()> {
        match told {
            Ok(()) => {
                self.phase = Phase::Ready;
                Ok(())
            }
            // Somebody ended it under this producer's name: there is nothing left to abort.
            Err(over @ Error::InvalidTransactionTransition { .. }) => {
                self.phase = Phase::Ready;
                Err(over)
            }
            Err(error) => {
                let error = self.fail(error);
                if let Phase::Open(_) = self.phase {
                    self.phase = Phase::Undecided;
                }
                Err(error)
            }
        }
    }

    fn impossible(&self, state: TransactionState, attempted: &'static str) -> Error {
        Error::InvalidTransactionTransition { transactional_id: self.transactional_id.clone(), state, attempted }
    }
}

/// Whether an error says that the transactional id is somebody else's now.
fn is_fatal(error: &Error) -> bool {
    matches!(error, Error::ProducerFenced { .. } | Error::InvalidProducerIdMapping { .. })
}
