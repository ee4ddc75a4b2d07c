//! Reads records of a cluster: Fetch requests to the leaders of the partitions, from where the reader stands in each.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use esker::net::ErrorCode;
use esker::net::messages::FetchRequest;
use esker::net::messages::fetch::{FetchPartition, FetchTopic, PartitionData};
use esker::net::messages::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use esker::record::{AbortedProducers, BatchView, Batches, Header, RecordView};
use esker::{Corruption, Error, IsolationLevel, LeaderEpoch, Offset, TopicPartition};

use super::cluster::Cluster;
use super::offsets::{by_topic, isolation_number};
use super::start::{Position, Positions, reset};
use super::trouble::Trouble;
use crate::failure::Result;
use crate::source::{POLL_RECORDS, ReadRecord, Reader, Start, explain};

/// Topics by name.
const FETCH_VERSION: i16 = 12;
/// How much a response may have, and of one partition (`max.partition.fetch.bytes`).
const FETCH_BYTES: i32 = 8 << 20;
const PARTITION_FETCH_BYTES: i32 = 1 << 20;

/// Reads partitions of a topic.
#[derive(Debug)]
pub(super) struct ClusterReader<'a> {
    cluster: &'a mut Cluster,
    topic: Arc<str>,
    group: Option<String>,
    /// Whether it started where it was told to, whatever the group has committed.
    is_placed: bool,
    /// What stands for the place where it starts if its own is not in the log.
    reset: i64,
    isolation_level: IsolationLevel,
    /// The partitions in the order in which they were given, and where it stands in each.
    positions: Positions,
    /// What was fetched and not handed out yet.
    fetched: VecDeque<Fetched>,
}

/// A batch that was fetched.
#[derive(Debug)]
struct Fetched {
    /// Of which of the partitions.
    index: usize,
    /// Behind its last record.
    next: Position,
    /// None if it has nothing for readers: control batches, and what an aborted transaction left.
    batch: Option<BatchView>,
}

impl<'a> ClusterReader<'a> {
    pub(super) fn new(cluster: &'a mut Cluster, start: &Start<'_>) -> Result<Self> {
        let positions = cluster.positions(start)?;
        if start.follows {
            // Who waits for records waits for brokers too.
            cluster.have_patience(None);
        }
        Ok(Self {
            cluster,
            topic: start.topic.into(),
            group: start.group.map(str::to_owned),
            is_placed: start.at.is_some(),
            reset: reset(start),
            isolation_level: start.isolation_level,
            positions,
            fetched: VecDeque::new(),
        })
    }

    fn index_of(&self, partition: &TopicPartition) -> Result<usize> {
        let index = self.positions.iter().position(|(known, _)| known == partition);
        Ok(index.ok_or_else(|| Error::NotAssigned { topic_partition: partition.clone() })?)
    }

    /// Fetches from all leaders what comes next, waiting for it up to `max_wait`. False if that could not be done
    /// within `time`.
    fn fetch(&mut self, max_wait: Duration, time: Duration) -> Result<bool> {
        let topic = self.topic.clone();
        let (isolation_level, positions) = (self.isolation_level, self.positions.clone());
        let position_of: HashMap<_, _> = positions.iter().cloned().collect();
        let responses = self.cluster.retry_within(time, |cluster| {
            let mut requests = Vec::new();
            for (leader, led) in cluster.by_leader(positions.iter().map(|(partition, _)| partition.clone()))? {
                let partition = |index: i32| FetchPartition {
                    partition: index,
                    fetch_offset: position_of[&TopicPartition::new(topic.clone(), index)].offset,
                    partition_max_bytes: PARTITION_FETCH_BYTES,
                    ..Default::default()
                };
                let topic = |(topic, indexes): (String, Vec<i32>)| FetchTopic {
                    topic,
                    partitions: indexes.into_iter().map(partition).collect(),
                    ..Default::default()
                };
                let request = FetchRequest {
                    max_wait_ms: i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX),
                    min_bytes: 1,
                    max_bytes: FETCH_BYTES,
                    isolation_level: isolation_number(isolation_level),
                    topics: by_topic(&led).into_iter().map(topic).collect(),
                    ..Default::default()
                };
                requests.push((cluster.broker(leader)?, request));
            }
            let mut fetched = Vec::new();
            for response in cluster.wire.ask_all(requests, FETCH_VERSION, max_wait) {
                let response = response?;
                if response.error_code != ErrorCode::NONE {
                    return Err(Trouble::refused(response.error_code, None, &topic));
                }
                fetched.extend(response.responses.into_iter().flat_map(|topic| topic.partitions));
            }
            let passing = fetched.iter().find_map(|data| {
                let partition = TopicPartition::new(topic.clone(), data.partition_index);
                let trouble =
                    (data.error_code != ErrorCode::NONE).then(|| Trouble::of_leader(data.error_code, None, &partition));
                trouble.filter(Trouble::is_passing)
            });
            passing.map_or(Ok(fetched), Err)
        })?;
        let Some(responses) = responses else { return Ok(false) };
        responses.into_iter().try_for_each(|data| self.take_in(data, time))?;
        Ok(true)
    }

    fn take_in(&mut self, data: PartitionData, time: Duration) -> Result {
        let partition = TopicPartition::new(self.topic.clone(), data.partition_index);
        let index = self.index_of(&partition)?;
        match data.error_code {
            ErrorCode::NONE => {}
            // Retention has overtaken the reader, or the log is another one.
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                let (at, isolation_level) = (self.reset, self.isolation_level);
                let found = self.cluster.retry_within(time, |cluster| {
                    cluster.try_offsets_at(std::slice::from_ref(&partition), at, isolation_level)
                })?;
                // If nobody says where, that shows once more.
                if let Some(reset) = found {
                    self.positions[index].1 = reset.first().copied().unwrap_or(0).into();
                }
                return Ok(());
            }
            code => return Err(Trouble::of_leader(code, None, &partition).into()),
        }
        let aborted = data.aborted_transactions.unwrap_or_default();
        let mut aborted = AbortedProducers::new(aborted.iter().map(|of| (of.producer_id, of.first_offset)));
        let mut is_first = true;
        for batch in Batches::new(data.records.unwrap_or_default().into()) {
            let batch = match batch {
                // Brokers may cut the last batch off where a response is full.
                Err(Error::CorruptRecord { reason: Corruption::Truncated { .. }, .. }) if !is_first => break,
                batch => batch?,
            };
            is_first = false;
            let (is_void, header) = (aborted.is_void(&batch), batch.header());
            let leader_epoch = Some(header.partition_leader_epoch).filter(|epoch| *epoch >= 0);
            let next = Position { offset: header.next_offset(), leader_epoch };
            let batch = Some(batch).filter(|batch| !is_void && !batch.header().is_control());
            self.fetched.push_back(Fetched { index, next, batch });
        }
        Ok(())
    }

    /// Hands out the records of a batch, and moves on behind it.
    fn hand_out(&mut self, fetched: &Fetched, records: &mut Vec<ReadRecord>) -> Result {
        let Fetched { index, next, batch } = fetched;
        let (partition, position) = &mut self.positions[*index];
        let wanted = position.offset;
        if let Some(batch) = batch {
            let lost = |error, at: Offset| explain(with_offsets(error, at..=next.offset - 1), &partition.topic);
            for record in &batch.records().map_err(|error| lost(error, wanted))? {
                let record = record.and_then(|record| own(partition, batch, &record));
                let record = record.map_err(|error| lost(error, position.offset))?;
                if record.offset >= wanted {
                    *position = Position { offset: record.offset + 1, ..*next };
                    records.push(record);
                }
            }
        }
        if next.offset > wanted {
            *position = *next;
        }
        Ok(())
    }
}

impl Reader for ClusterReader<'_> {
    fn ends(&mut self) -> Result<Vec<(TopicPartition, Offset)>> {
        let partitions: Vec<_> = self.positions.iter().map(|(partition, _)| partition.clone()).collect();
        let ends = self.cluster.offsets_at(&partitions, LATEST_TIMESTAMP, self.isolation_level)?;
        Ok(partitions.into_iter().zip(ends).collect())
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset> {
        let index = self.index_of(partition)?;
        Ok(self.positions[index].1.offset)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result {
        let index = self.index_of(partition)?;
        self.positions[index].1 = offset.into();
        self.fetched.retain(|fetched| fetched.index != index);
        Ok(())
    }

    fn look_for_partitions(&mut self) -> Result {
        let (topic, known, isolation_level) = (self.topic.clone(), self.positions.len() as i32, self.isolation_level);
        let group = self.group.as_deref().filter(|_| !self.is_placed);
        let added = self.cluster.retry_within(Duration::ZERO, |cluster| {
            let count = cluster.partitions_by_now(&topic)?;
            let added = (known..count).map(|index| TopicPartition::new(topic.clone(), index));
            cluster.try_positions(added.collect(), EARLIEST_TIMESTAMP, group, isolation_level)
        });
        // Where that could not be said now it is asked for again.
        self.positions.extend(added?.unwrap_or_default());
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<ReadRecord>> {
        if self.fetched.is_empty() {
            // A broker that has nothing is waited for only if none of them has anything.
            if self.fetch(Duration::ZERO, timeout)? && self.fetched.is_empty() {
                self.fetch(timeout, timeout)?;
            }
        }
        let mut records = Vec::new();
        while records.len() < POLL_RECORDS {
            let Some(fetched) = self.fetched.pop_front() else { break };
            match self.hand_out(&fetched, &mut records) {
                Ok(()) => {}
                // What comes before it is printed; the failure comes up again in the next poll.
                Err(_) if !records.is_empty() => {
                    self.fetched.push_front(fetched);
                    break;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(records)
    }

    fn commit(&mut self, time: Duration, epoch_of: &dyn Fn(&TopicPartition) -> Option<LeaderEpoch>) -> Result<bool> {
        let group = self.group.clone().ok_or(Error::NoGroup)?;
        let offset = |(partition, position): &(TopicPartition, Position)| {
            let leader_epoch = position.leader_epoch.or_else(|| epoch_of(partition));
            (partition.clone(), position.offset, leader_epoch)
        };
        let offsets: Vec<_> = self.positions.iter().map(offset).collect();
        Ok(self.cluster.retry_within(time, |cluster| cluster.try_commit(&group, &offsets))?.is_some())
    }
}

fn own(partition: &TopicPartition, batch: &BatchView, record: &RecordView<'_>) -> Result<ReadRecord, Error> {
    let owned = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    let header = |header: Header<'_>| (header.key.to_owned(), header.value.map(owned));
    let headers = record.headers().map(|found| found.map(header)).collect::<Result<Vec<_>, _>>()?;
    Ok(ReadRecord {
        topic: partition.topic.clone(),
        partition: partition.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        timestamp_type: batch.header().timestamp_type(),
        key: record.key.map(owned),
        value: record.value.map(owned),
        headers,
        leader_epoch: batch.header().partition_leader_epoch,
    })
}

/// The error with the offsets that can't be read because of it.
fn with_offsets(error: Error, lost: RangeInclusive<Offset>) -> Error {
    match error {
        Error::CorruptRecord { file, position, offsets: None, reason } => {
            Error::CorruptRecord { file, position, offsets: Some(lost), reason }
        }
        other => other,
    }
}
