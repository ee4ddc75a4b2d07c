//! Writes records to a cluster: batches as the library's producer makes them, to the leaders of the partitions.
//!
//! ```text
//!   record → its partition's batch, until that is full → a round: all full batches, up to five a partition → responses
//! ```
//!
//! The batches of a round are under way all at once, in order. What a round did not get written for reasons that pass,
//! as when brokers go away and come back, is tried again before anything else. The answer of who has written it may be
//! what was lost: the numbers that an idempotent producer gives its batches keep it from being written twice, and
//! without them it may be. Meanwhile more lines are read, and whatever has come by the end of a round goes into the
//! next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use esker::clock::{Clock, SystemClock};
use esker::net::ErrorCode;
use esker::net::messages::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use esker::net::messages::{InitProducerIdRequest, ProduceRequest};
use esker::record::{BatchBuilder, Compression};
use esker::{Acks, Error, Partitioner, TopicPartition};

use super::cluster::Cluster;
use super::trouble::Trouble;
use super::wire::{REQUEST_TIMEOUT, REQUEST_TIMEOUT_MS};
use crate::failure::{Failure, Result};
use crate::source::{Feed, NewRecord, Sink, Target, not_written};

/// Topics by name.
const PRODUCE_VERSION: i16 = 12;
const INIT_PRODUCER_ID_VERSION: i16 = 5;
/// For how long batches are tried to be written (`delivery.timeout.ms`).
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);
/// How many batches of a partition may be under way: of so many a broker knows whether it has them
/// (`max.in.flight.requests.per.connection`).
const BATCHES_IN_FLIGHT: usize = 5;
/// How many a round has at most, so that a topic of many partitions does not keep too much in memory.
const ROUND_BATCHES: usize = 64;
/// What limits a batch where the topic does not tell.
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// Writes what `feed` hands over, and returns how many records were acknowledged, which are all of them.
pub(super) fn produce(cluster: &mut Cluster, to: &Target<'_>, feed: Feed<'_>) -> Result<u64> {
    let mut producer = ClusterProducer::new(cluster, to)?;
    let fed = feed(&mut producer);
    producer.finish();
    match producer.first_failure {
        Some((line, failure)) => Err(not_written(line, producer.failed, failure)),
        None => fed.map(|()| producer.acknowledged),
    }
}

/// A partition's batch that is filling.
#[derive(Debug)]
struct Filling {
    builder: BatchBuilder,
    first_line: u64,
    next_sequence: i32,
    /// How many of its batches are full and not sent yet.
    full: usize,
}

/// A batch that is full.
#[derive(Debug)]
struct Full {
    partition: TopicPartition,
    first_line: u64,
    records: u64,
    bytes: Bytes,
}

struct ClusterProducer<'a> {
    cluster: &'a mut Cluster,
    topic: Arc<str>,
    acks: Acks,
    /// Producer id and epoch, of one that is idempotent.
    identity: Option<(i64, i16)>,
    filling: Vec<Filling>,
    full: Vec<Full>,
    /// Where records without a key go until a batch is full.
    sticky: i32,
    /// What limits a batch.
    max_message_bytes: usize,
    acknowledged: u64,
    failed: u64,
    first_failure: Option<(u64, Failure)>,
}

impl<'a> ClusterProducer<'a> {
    fn new(cluster: &'a mut Cluster, to: &Target<'_>) -> Result<Self> {
        let get = |key: &str| to.config.get(key);
        if get("transactional.id").is_some() {
            return Err(Failure::Usage("lines are not written in transactions: leave out transactional.id".to_owned()));
        }
        let partitions = cluster.count_partitions(to.topic)?;
        to.config.validate().map_err(|error| Failure::Usage(error.to_string()))?;
        let limit = cluster.retry(|cluster| cluster.config_value(to.topic, MAX_MESSAGE_BYTES))?;
        let max_message_bytes = limit.and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        let identity = match get("enable.idempotence").as_deref() {
            Some("true") => Some(cluster.retry(Cluster::new_producer_id)?),
            _ => None,
        };
        cluster.have_patience(Some(DELIVERY_TIMEOUT));
        let batch_size = get("batch.size").and_then(|size| size.parse().ok()).unwrap_or(max_message_bytes);
        let compression: Compression = get("compression.type").and_then(|codec| codec.parse().ok()).unwrap_or_default();
        let level = get(&format!("compression.{compression}.level")).and_then(|level| level.parse().ok());
        let filling = || Filling {
            builder: BatchBuilder::new(batch_size.min(max_message_bytes))
                .compression(compression)
                .compression_level(level),
            first_line: 0,
            next_sequence: 0,
            full: 0,
        };
        let mut producer = Self {
            cluster,
            topic: to.topic.into(),
            acks: get("acks").and_then(|acks| acks.parse().ok()).unwrap_or_default(),
            identity,
            filling: std::iter::repeat_with(filling).take(partitions as usize).collect(),
            full: Vec::new(),
            sticky: 0,
            max_message_bytes,
            acknowledged: 0,
            failed: 0,
            first_failure: None,
        };
        producer.sticky = producer.any_partition();
        Ok(producer)
    }

    fn any_partition(&self) -> i32 {
        let random = RandomState::new().build_hasher().finish();
        (random % self.filling.len().max(1) as u64) as i32
    }

    /// Takes the batch of a partition as full.
    fn seal(&mut self, index: usize) -> Result<(), Error> {
        let filling = &mut self.filling[index];
        let records = filling.builder.len();
        if let Some((producer_id, producer_epoch)) = self.identity {
            filling.builder.set_producer(producer_id, producer_epoch, filling.next_sequence);
        }
        let bytes = Bytes::copy_from_slice(filling.builder.build()?.bytes());
        filling.builder.clear();
        filling.full += 1;
        // After the last sequence number comes 0.
        filling.next_sequence = filling.next_sequence.wrapping_add(records as i32) & i32::MAX;
        let partition = TopicPartition::new(self.topic.clone(), index as i32);
        self.full.push(Full { partition, first_line: filling.first_line, records: records as u64, bytes });
        Ok(())
    }

    /// Sends the full batches and waits for what becomes of them.
    fn send(&mut self) {
        let mut batches = std::mem::take(&mut self.full);
        self.filling.iter_mut().for_each(|filling| filling.full = 0);
        while !batches.is_empty() {
            let outcomes = self.round(&batches);
            let (mut again, mut why) = (Vec::new(), None);
            let mut stalled = HashSet::new();
            for (batch, outcome) in batches.into_iter().zip(outcomes) {
                match outcome {
                    Ok(()) => self.acknowledged += batch.records,
                    Err(trouble) if trouble.is_passing() => {
                        stalled.insert(batch.partition.clone());
                        again.push(batch);
                        why = Some(trouble);
                    }
                    // The one before it has not been written yet.
                    Err(Trouble::Refused { code: ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, .. })
                        if stalled.contains(&batch.partition) =>
                    {
                        again.push(batch);
                    }
                    Err(trouble) => self.fail(batch.first_line, batch.records, trouble.into()),
                }
            }
            batches = again;
            match why.map(|trouble| self.cluster.wait_out(trouble)) {
                None => self.cluster.end_outage(),
                Some(Ok(())) => {}
                Some(Err(failure)) => {
                    let first_line = batches.iter().map(|batch| batch.first_line).min().unwrap_or(0);
                    let records = batches.drain(..).map(|batch| batch.records).sum();
                    self.fail(first_line, records, failure);
                }
            }
        }
    }

    fn fail(&mut self, first_line: u64, records: u64, failure: Failure) {
        self.failed += records;
        match &mut self.first_failure {
            Some((line, _)) if *line <= first_line => {}
            first => *first = Some((first_line, failure)),
        }
    }

    /// Sends batches once, those of a partition in their order. Returns what became of each.
    fn round(&mut self, batches: &[Full]) -> Vec<Result<(), Trouble>> {
        // The first batches of all partitions, the second ones, and so on: a request has one of each partition at most.
        let mut waves: BTreeMap<(usize, i32), Vec<usize>> = BTreeMap::new();
        let mut before: HashMap<&TopicPartition, usize> = HashMap::new();
        for (index, Full { partition, .. }) in batches.iter().enumerate() {
            let wave = before.entry(partition).or_default();
            match self.cluster.leader(partition) {
                Ok(leader) => waves.entry((*wave, leader)).or_default().push(index),
                Err(trouble) => return all(batches, &trouble),
            }
            *wave += 1;
        }
        let (mut requests, mut sent) = (Vec::new(), Vec::new());
        for ((_, leader), indexes) in waves {
            match self.cluster.broker(leader) {
                Ok(peer) => requests.push((peer, self.request(indexes.iter().map(|index| &batches[*index])))),
                Err(trouble) => return all(batches, &trouble),
            }
            sent.push(indexes);
        }
        if self.acks == Acks::None {
            let told =
                requests.iter().try_for_each(|(peer, request)| self.cluster.wire.tell(peer, request, PRODUCE_VERSION));
            return told.map_or_else(|trouble| all(batches, &trouble), |()| batches.iter().map(|_| Ok(())).collect());
        }
        let mut outcomes: Vec<_> = batches.iter().map(|batch| Err(unanswered(&batch.partition))).collect();
        let responses = self.cluster.wire.ask_all(requests, PRODUCE_VERSION, REQUEST_TIMEOUT);
        for (indexes, response) in sent.into_iter().zip(responses) {
            match response {
                Ok(response) => {
                    let answers: Vec<_> =
                        response.responses.into_iter().flat_map(|topic| topic.partition_responses).collect();
                    for index in indexes {
                        let batch = &batches[index];
                        if let Some(answer) = answers.iter().find(|answer| answer.index == batch.partition.partition) {
                            outcomes[index] = self.outcome(batch, answer);
                        }
                    }
                }
                Err(trouble) => indexes.into_iter().for_each(|index| outcomes[index] = Err(trouble.again())),
            }
        }
        outcomes
    }

    fn request<'b>(&self, batches: impl Iterator<Item = &'b Full>) -> ProduceRequest {
        let partition = |batch: &Full| PartitionProduceData {
            index: batch.partition.partition,
            records: Some(batch.bytes.clone()),
        };
        let topic = TopicProduceData {
            name: self.topic.to_string(),
            partition_data: batches.map(partition).collect(),
            ..Default::default()
        };
        let acks = match self.acks {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        };
        ProduceRequest { transactional_id: None, acks, timeout_ms: REQUEST_TIMEOUT_MS, topic_data: vec![topic] }
    }

    fn outcome(&self, batch: &Full, answer: &PartitionProduceResponse) -> Result<(), Trouble> {
        match answer.error_code {
            // It was written by an earlier try.
            ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Ok(()),
            code @ ErrorCode::MESSAGE_TOO_LARGE => {
                let (size, max) = (batch.bytes.len() as u64, self.max_message_bytes as u64);
                Err(Trouble::error(code, Error::MessageTooLarge { size, max, limit: MAX_MESSAGE_BYTES }))
            }
            code => Err(Trouble::of_leader(code, answer.error_message.clone(), &batch.partition)),
        }
    }

    /// Sends the rest. After a failure nothing more is sent: what is there counts as not written.
    fn finish(&mut self) {
        if !self.has_failed() {
            self.pause();
        }
        for index in 0..self.filling.len() {
            let (line, records) = (self.filling[index].first_line, self.filling[index].builder.len() as u64);
            if records > 0 {
                self.fail(line, records, Failure::new("a line before it was not written"));
            }
        }
        let unsent: u64 = std::mem::take(&mut self.full).iter().map(|batch| batch.records).sum();
        self.failed += unsent;
        if self.acks == Acks::None {
            self.cluster.settle();
        }
    }
}

impl Sink for ClusterProducer<'_> {
    fn take(&mut self, line: u64, record: NewRecord) -> Result {
        let not_taken = |error: Error| not_written(line, 1, error.into());
        let count = self.filling.len() as i32;
        let by_key = || Partitioner::Default.partition_for_key(record.key.as_deref(), count);
        let partition = record.partition.or_else(by_key).unwrap_or(self.sticky);
        let index = usize::try_from(partition).ok().filter(|index| *index < self.filling.len());
        let topic_partition = || TopicPartition::new(self.topic.clone(), partition);
        let index =
            index.ok_or_else(|| not_taken(Error::UnknownTopicOrPartition { topic_partition: topic_partition() }))?;

        let headers = record.headers();
        let data = record.data(&headers, SystemClock.now_ms());
        if !self.filling[index].builder.has_room_for(&data) {
            self.seal(index).map_err(not_taken)?;
            if partition == self.sticky {
                self.sticky = self.any_partition();
            }
            if self.filling[index].full >= BATCHES_IN_FLIGHT || self.full.len() >= ROUND_BATCHES {
                self.send();
            }
        }
        let filling = &mut self.filling[index];
        filling.builder.push(&data).map_err(not_taken)?;
        if filling.builder.len() == 1 {
            filling.first_line = line;
        }
        Ok(())
    }

    fn pause(&mut self) {
        for index in 0..self.filling.len() {
            let (line, records) = (self.filling[index].first_line, self.filling[index].builder.len() as u64);
            if let Some(Err(error)) = (records > 0).then(|| self.seal(index)) {
                self.filling[index].builder.clear();
                self.fail(line, records, error.into());
            }
        }
        self.send();
    }

    fn has_failed(&self) -> bool {
        self.first_failure.is_some()
    }
}

impl Cluster {
    fn new_producer_id(&mut self) -> Result<(i64, i16), Trouble> {
        // Without a transactional id there is no timeout, and any broker may be asked.
        let request = InitProducerIdRequest { transaction_timeout_ms: i32::MAX, ..Default::default() };
        let response = self.ask_any(&request, INIT_PRODUCER_ID_VERSION)?;
        match response.error_code {
            ErrorCode::NONE => Ok((response.producer_id, response.producer_epoch)),
            code => Err(Trouble::refused(code, None, "a producer id")),
        }
    }
}

/// The same for all of the batches.
fn all(batches: &[Full], trouble: &Trouble) -> Vec<Result<(), Trouble>> {
    batches.iter().map(|_| Err(trouble.again())).collect()
}

/// A response has something for each batch.
fn unanswered(partition: &TopicPartition) -> Trouble {
    Trouble::refused(ErrorCode::UNKNOWN_SERVER_ERROR, None, &partition.to_string())
}
