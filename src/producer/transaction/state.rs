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

    /// Something of the transaction went wrong. Returns the error as it is to be told: partitions know of epochs, and
    /// not whose they are.
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

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCER: ProducerIdAndEpoch = ProducerIdAndEpoch::new(7, 1);

    fn ready() -> State {
        State::new("t".to_owned(), PRODUCER)
    }

    fn begun() -> State {
        let mut state = ready();
        state.begin().unwrap();
        state.add_partition(TopicPartition::new("a", 0));
        state
    }

    fn refused() -> Error {
        Error::InvalidRecord { reason: "it is too small".to_owned() }
    }

    fn fenced() -> Error {
        let current = ProducerIdAndEpoch::new(7, 2);
        Error::ProducerFenced { transactional_id: "t".to_owned(), producer: PRODUCER, current }
    }

    #[test]
    fn what_nothing_takes_part_in_is_nobodys_business() {
        for end in [State::commit, State::abort] {
            let mut state = ready();
            state.begin().unwrap();
            assert_eq!(end(&mut state).unwrap(), Tell::Nothing);
            state.begin().expect("it has ended");
            state.add_group("g".to_owned());
            assert_eq!(end(&mut state).unwrap(), Tell::End);
        }
    }

    #[test]
    fn partitions_and_groups_take_part_in_one_transaction() {
        let mut state = begun();
        state.add_group("g".to_owned());
        assert!(state.has_partition(&TopicPartition::new("a", 0)) && state.has_group("g"));
        assert!(!state.has_partition(&TopicPartition::new("a", 1)) && !state.has_group("h"));
        state.commit().unwrap();
        state.committed(Ok(())).unwrap();
        state.begin().unwrap();
        assert!(!state.has_partition(&TopicPartition::new("a", 0)) && !state.has_group("g"));
    }

    #[test]
    fn after_a_failure_an_abort_is_left() {
        let mut state = begun();
        state.fail(refused());
        state.fail(Error::NoGroup);
        for check in [state.check_open("send"), state.commit().map(drop)] {
            let Err(Error::TransactionAbortable { cause, .. }) = check else { panic!("{check:?}") };
            assert!(matches!(*cause, Error::InvalidRecord { .. }), "the first failure: {cause}");
        }
        assert_eq!(state.abort().unwrap(), Tell::End);
        state.aborted(Ok(())).unwrap();
        state.begin().unwrap();
        state.check_open("send").expect("the failure was the last transaction's");
    }

    #[test]
    fn a_commit_that_could_not_be_told_leaves_an_abort_and_that_one_is_told_before_anything_else() {
        let mut state = begun();
        state.commit().unwrap();
        assert!(state.committed(Err(refused())).is_err());
        assert!(matches!(state.commit(), Err(Error::TransactionAbortable { .. })));
        state.abort().unwrap();
        assert!(state.aborted(Err(refused())).is_err());
        assert!(state.is_undecided() && state.is_open());
        assert!(state.begin().is_err() && state.check_open("send").is_err());
        assert_eq!(state.abort().unwrap(), Tell::End);
        state.aborted(Ok(())).unwrap();
        assert!(!state.is_undecided() && !state.is_open());
        state.begin().unwrap();
    }

    #[test]
    fn who_is_fenced_stays_so() {
        let mapping = || Error::InvalidProducerIdMapping { transactional_id: "t".to_owned(), producer: PRODUCER };
        for (error, prepare) in [(fenced(), begun as fn() -> State), (fenced(), ready), (mapping(), begun)] {
            let mut state = prepare();
            state.fail(error);
            state.fail(refused());
            assert!(state.begin().is_err() && state.abort().is_err() && state.commit().is_err());
            assert!(!matches!(state.check_open("send"), Ok(()) | Err(Error::TransactionAbortable { .. })));
        }
    }

    #[test]
    fn a_partition_that_knows_a_later_epoch_fences_too() {
        let mut state = begun();
        let told = state.fail(Error::InvalidProducerEpoch {
            topic_partition: TopicPartition::new("a", 0),
            producer_id: 7,
            requested: 1,
            current: 2,
        });
        assert_eq!(told.to_string(), fenced().to_string());
        assert_eq!(state.begin().unwrap_err().to_string(), fenced().to_string());
    }

    #[test]
    fn what_somebody_else_has_ended_is_over() {
        let mut state = begun();
        state.abort().unwrap();
        let over = state.impossible(TransactionState::CompleteCommit, "abort");
        assert!(state.aborted(Err(over)).is_err(), "and was not aborted");
        state.begin().unwrap();
    }
}
