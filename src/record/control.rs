//! Control records: what the log tells itself among the data. Consumers never see them.
//!
//! ```text
//! key    | version 2 = 0 | type 2 |
//! value  | version 2 = 0 | coordinator epoch 4 |        of a transaction's end; the other types are the controller's
//! ```
//!
//! Unknown types are skipped and higher versions read as version 0, so that a log of a newer Kafka stays readable.

use crate::error::{Corruption, Error, Result};
use crate::record::batch::BatchView;
use crate::record::batch_builder::BatchBuilder;
use crate::record::record::RecordView;
use crate::record::record_data::RecordData;
use crate::types::ProducerIdAndEpoch;

/// What a control record says (Kafka's `ControlRecordType`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControlRecordType {
    /// 0: the producer's transaction ends here and is void.
    Abort,
    /// 1: the producer's transaction ends here and counts.
    Commit,
    /// 2: a new leader of the metadata log.
    LeaderChange,
    /// 3: the first record of a metadata snapshot.
    SnapshotHeader,
    /// 4: the last record of a metadata snapshot.
    SnapshotFooter,
    /// 5: the version of the metadata quorum's protocol.
    KraftVersion,
    /// 6: the voters of the metadata quorum.
    KraftVoters,
    /// A type that is not known here.
    Unknown(i16),
}

impl ControlRecordType {
    /// The type of this number.
    pub const fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            unknown => Self::Unknown(unknown),
        }
    }

    /// The type's number.
    pub const fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KraftVersion => 5,
            Self::KraftVoters => 6,
            Self::Unknown(id) => id,
        }
    }

    /// Reads the key of a control record.
    ///
    /// # Errors
    ///
    /// `CorruptRecord` with [`Corruption::ControlRecord`] if it is too short or its version negative.
    pub fn parse(key: &[u8]) -> Result<Self> {
        match *key {
            [a, b, c, d, ..] if i16::from_be_bytes([a, b]) >= 0 => Ok(Self::from_id(i16::from_be_bytes([c, d]))),
            _ => Err(Error::corrupt(0, Corruption::ControlRecord)),
        }
    }

    /// The key of a control record of this type.
    pub const fn to_key(self) -> [u8; 4] {
        let [a, b] = self.id().to_be_bytes();
        [0, 0, a, b]
    }
}

/// How a transaction ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionResult {
    /// Its records are void.
    Abort,
    /// Its records count.
    Commit,
}

/// The record that ends a transaction in each partition that took part.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndTransactionMarker {
    /// How the transaction ended.
    pub result: TransactionResult,
    /// The tenure of the transaction coordinator that decided. Markers of an earlier one are refused.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// Reads a control record; `None` if it is of another type.
    ///
    /// # Errors
    ///
    /// `CorruptRecord` with [`Corruption::ControlRecord`] if its key or value is too short or has a negative version.
    pub fn parse(record: &RecordView<'_>) -> Result<Option<Self>> {
        let malformed = |_| record.damaged(Corruption::ControlRecord);
        let result = match ControlRecordType::parse(record.key.unwrap_or_default()).map_err(malformed)? {
            ControlRecordType::Abort => TransactionResult::Abort,
            ControlRecordType::Commit => TransactionResult::Commit,
            _ => return Ok(None),
        };
        match *record.value.unwrap_or_default() {
            [a, b, c, d, e, f, ..] if i16::from_be_bytes([a, b]) >= 0 => {
                Ok(Some(Self { result, coordinator_epoch: i32::from_be_bytes([c, d, e, f]) }))
            }
            _ => Err(record.damaged(Corruption::ControlRecord)),
        }
    }

    /// The type of the control record.
    pub const fn control_type(self) -> ControlRecordType {
        match self.result {
            TransactionResult::Abort => ControlRecordType::Abort,
            TransactionResult::Commit => ControlRecordType::Commit,
        }
    }

    /// The value of the control record.
    pub const fn to_value(self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// The batch that ends the transaction of this producer: 78 bytes, base offset 0, to be stamped by the log.
    ///
    /// # Errors
    ///
    /// `InvalidRecord` if `timestamp` is below −1.
    pub fn to_batch(self, timestamp: i64, producer: ProducerIdAndEpoch) -> Result<BatchView> {
        let ProducerIdAndEpoch { producer_id, producer_epoch } = producer;
        let (key, value) = (self.control_type().to_key(), self.to_value());
        let mut builder =
            BatchBuilder::new(0).producer(producer_id, producer_epoch, -1).transactional(true).control(true);
        builder.push(&RecordData::new(Some(&key), Some(&value)).at(timestamp))?;
        builder.build().map(BatchView::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_numbers_lead_back_to_each_other() {
        for id in [0, 1, 2, 3, 4, 5, 6, 7, -1, i16::MAX] {
            let control_type = ControlRecordType::from_id(id);
            assert_eq!(control_type.id(), id);
            assert_eq!(matches!(control_type, ControlRecordType::Unknown(_)), !(0..=6).contains(&id));
            assert_eq!(ControlRecordType::parse(&control_type.to_key()).unwrap(), control_type);
        }
    }

    #[test]
    fn short_keys_and_negative_versions_are_refused_and_higher_versions_read() {
        for key in [&b""[..], &[0, 0, 0], &[0xff, 0xff, 0, 0]] {
            assert!(ControlRecordType::parse(key).is_err());
        }
        assert_eq!(ControlRecordType::parse(&[0, 9, 0, 1, 5]).unwrap(), ControlRecordType::Commit);
    }

    #[test]
    fn a_marker_reads_back_and_other_types_are_none() {
        for result in [TransactionResult::Abort, TransactionResult::Commit] {
            let marker = EndTransactionMarker { result, coordinator_epoch: 5 };
            let batch = marker.to_batch(100, ProducerIdAndEpoch::new(4000, 2)).unwrap();
            assert_eq!(batch.bytes().len(), 78);
            let records = batch.records().unwrap();
            let record = records.iter().next().unwrap().unwrap();
            assert_eq!(EndTransactionMarker::parse(&record).unwrap(), Some(marker));

            let mut other = record;
            other.key = Some(&[0, 0, 0, 2]);
            assert_eq!(EndTransactionMarker::parse(&other).unwrap(), None);
            for value in [None, Some(&[0, 0, 0, 0, 0][..]), Some(&[0xff, 0, 0, 0, 0, 0])] {
                let mut malformed = record;
                malformed.value = value;
                assert!(EndTransactionMarker::parse(&malformed).is_err());
            }
        }
    }
}
