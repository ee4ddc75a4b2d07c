//! Batches that are none, and places that there are not.

use bytes::Bytes;
use esker::Uuid;
use esker::net::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use esker::net::messages::offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use esker::net::messages::produce::{PartitionProduceData, TopicProduceData};
use esker::net::messages::{
    DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest, ProduceRequest,
};
use esker::record::{BatchBuilder, RecordData};

use crate::{Anything, Brokers};

pub(super) async fn compare(brokers: &mut Brokers) -> Result<(), Anything> {
    produce(brokers).await?;
    fetch(brokers).await?;
    look_up(brokers).await?;
    delete(brokers).await
}

/// Two records without keys.
fn batch() -> Result<Vec<u8>, Anything> {
    let mut builder = BatchBuilder::new(1 << 10);
    for value in ["a", "b"] {
        builder.push(&RecordData::of(value.as_bytes()).at(1000))?;
    }
    Ok(builder.build()?.bytes().to_vec())
}

/// With other bytes from a position on; with the CRC that is right for them, or with the one that there was.
fn changed(at: usize, bytes: &[u8], is_meant: bool) -> Result<Bytes, Anything> {
    let mut batch = batch()?;
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    if is_meant {
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    Ok(batch.into())
}

async fn produce(brokers: &mut Brokers) -> Result<(), Anything> {
    let sound = || batch().map(Bytes::from);
    for (what, topic, index, acks, records) in [
        ("sound", "t", 0, 1, sound()?),
        ("acks 5", "t", 0, 5, sound()?),
        ("partition 9", "t", 9, 1, sound()?),
        ("partition -1", "t", -1, 1, sound()?),
        ("no such topic", "nobody", 0, 1, sound()?),
        ("no topic's name", "a/b", 0, 1, sound()?),
        ("nothing", "t", 0, 1, Bytes::new()),
        ("two batches", "t", 0, 1, [batch()?, batch()?].concat().into()),
        ("cut short", "t", 0, 1, sound()?.slice(..65)),
        ("without keys", "compacted", 0, -1, sound()?),
        ("too large", "small", 0, 1, BatchBuilder::new(1 << 10).build_one(&[7; 400])?),
        ("magic 1", "t", 0, 1, changed(16, &[1], false)?),
        ("magic 3", "t", 0, 1, changed(16, &[3], false)?),
        ("gzip that is none", "t", 0, 1, changed(22, &[1], true)?),
        ("zstd that is none", "t", 0, 1, changed(22, &[4], true)?),
        ("codec 6", "t", 0, 1, changed(22, &[6], true)?),
        ("wrong CRC", "t", 0, 1, changed(20, &[0], false)?),
        ("length 5", "t", 0, 1, changed(8, &5_i32.to_be_bytes(), false)?),
        ("offset 77", "t", 0, 1, changed(7, &[77], false)?),
        ("epoch 9", "t", 0, 1, changed(15, &[9], false)?),
        ("control", "t", 0, 1, changed(22, &[0x20], true)?),
        ("LogAppendTime", "t", 0, 1, changed(22, &[0x08], true)?),
        ("no records", "t", 0, 1, changed(57, &0_i32.to_be_bytes(), true)?),
        ("-1 records", "t", 0, 1, changed(57, &(-1_i32).to_be_bytes(), true)?),
        ("3 records", "t", 0, 1, changed(57, &3_i32.to_be_bytes(), true)?),
        ("3 records by mistake", "t", 0, 1, changed(57, &3_i32.to_be_bytes(), false)?),
        ("last offset 5", "t", 0, 1, changed(23, &5_i32.to_be_bytes(), true)?),
        ("a producer without sequence", "t", 0, 1, changed(43, &[0, 0, 0, 0, 0, 0, 0, 5, 0, 0], true)?),
        ("a record of another length", "t", 0, 1, changed(61, &[0x7e], true)?),
        ("another largest time", "t", 0, 1, changed(35, &7_i64.to_be_bytes(), true)?),
    ] {
        let partition_data = vec![PartitionProduceData { index, records: Some(records) }];
        let topic_data = vec![TopicProduceData { name: topic.to_owned(), partition_data, ..Default::default() }];
        let request = ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() };
        brokers.ask(what, &request, &[3, 8, 12]).await?;
    }
    // Sequences of one producer, each after the one before.
    for (epoch, sequence) in [(0, 5), (0, 50), (0, 5), (3, 0), (4, 9), (1, 0)] {
        let producer = [&70_i64.to_be_bytes()[..], &i16::to_be_bytes(epoch), &i32::to_be_bytes(sequence)].concat();
        let partition_data = vec![PartitionProduceData { index: 0, records: Some(changed(43, &producer, true)?) }];
        let topic_data = vec![TopicProduceData { name: "t".to_owned(), partition_data, ..Default::default() }];
        let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
        brokers.ask(&format!("epoch {epoch}, sequence {sequence}"), &request, &[9]).await?;
    }
    for topic_id in [Uuid::ZERO, Uuid::from_bytes([3; 16])] {
        let partition_data = vec![PartitionProduceData { index: 0, records: Some(sound()?) }];
        let topic_data = vec![TopicProduceData { topic_id, partition_data, ..Default::default() }];
        let request = ProduceRequest { acks: 1, timeout_ms: 30_000, topic_data, ..Default::default() };
        brokers.ask(&format!("{topic_id}"), &request, &[13]).await?;
    }
    Ok(())
}

/// A batch of one record.
trait BuildOne {
    fn build_one(self, value: &[u8]) -> Result<Bytes, Anything>;
}

impl BuildOne for BatchBuilder {
    fn build_one(mut self, value: &[u8]) -> Result<Bytes, Anything> {
        self.push(&RecordData::of(value).at(1000))?;
        Ok(Bytes::copy_from_slice(self.build()?.bytes()))
    }
}

async fn fetch(brokers: &mut Brokers) -> Result<(), Anything> {
    let fetch = |topic: &str, wanted: FetchPartition| FetchRequest {
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic { topic: topic.to_owned(), partitions: vec![wanted], ..Default::default() }],
        ..Default::default()
    };
    let at = |fetch_offset| FetchPartition { fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() };
    for (what, request) in [
        ("sound", fetch("t", at(0))),
        ("offset -1", fetch("t", at(-1))),
        ("offset 999", fetch("t", at(999))),
        ("partition 9", fetch("t", FetchPartition { partition: 9, ..at(0) })),
        ("no such topic", fetch("nobody", at(0))),
        ("no topic's name", fetch("a/b", at(0))),
        ("epoch 5", fetch("t", FetchPartition { current_leader_epoch: 5, ..at(0) })),
        ("epoch -7", fetch("t", FetchPartition { current_leader_epoch: -7, ..at(0) })),
        ("read in epoch 0", fetch("t", FetchPartition { last_fetched_epoch: 0, ..at(999) })),
        ("read in epoch 9", fetch("t", FetchPartition { last_fetched_epoch: 9, ..at(0) })),
        ("no bytes", FetchRequest { max_bytes: 0, ..fetch("t", at(0)) }),
        ("waits -1 ms", FetchRequest { max_wait_ms: -1, ..fetch("t", at(0)) }),
        ("another session", FetchRequest { session_id: 77, session_epoch: 5, ..fetch("t", at(0)) }),
        ("no session", FetchRequest { session_id: 0, session_epoch: 1, ..fetch("t", at(0)) }),
        ("no topics", FetchRequest { topics: Vec::new(), ..fetch("t", at(0)) }),
    ] {
        brokers.ask(what, &request, &[12]).await?;
    }
    for topic_id in [Uuid::ZERO, Uuid::from_bytes([3; 16])] {
        let topics = vec![FetchTopic { topic_id, partitions: vec![at(0)], ..Default::default() }];
        let request = FetchRequest { topics, ..fetch("", at(0)) };
        brokers.ask(&format!("{topic_id}"), &request, &[13, 17, 18]).await?;
    }
    Ok(())
}

async fn look_up(brokers: &mut Brokers) -> Result<(), Anything> {
    for (topic, partition_index, timestamp, current_leader_epoch) in [
        ("t", 0, -1, -1),
        ("t", 0, -1, 5),
        ("t", 0, -1, -3),
        ("t", 0, -2, -1),
        ("t", 0, -3, -1),
        ("t", 0, -4, -1),
        ("t", 0, -5, -1),
        ("t", 0, -6, -1),
        ("t", 0, -7, -1),
        ("t", 0, -100, -1),
        ("t", 0, i64::MAX, -1),
        ("t", 9, -1, -1),
        ("nobody", 0, -1, -1),
        ("a/b", 0, -1, -1),
    ] {
        let wanted = ListOffsetsPartition { partition_index, timestamp, current_leader_epoch };
        let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions: vec![wanted] }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        let what = format!("{topic} {partition_index} {timestamp} {current_leader_epoch}");
        brokers.ask(&what, &request, &[1, 4, 7, 9, 11]).await?;
    }
    for (topic, partition, current_leader_epoch, leader_epoch) in
        [("t", 0, -1, 0), ("t", 0, -1, 5), ("t", 0, 5, 0), ("t", 9, -1, 0), ("nobody", 0, -1, 0)]
    {
        let wanted = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
        let topics = vec![OffsetForLeaderTopic { topic: topic.to_owned(), partitions: vec![wanted.clone()] }];
        let request = OffsetForLeaderEpochRequest { topics, ..Default::default() };
        brokers.ask(&format!("{topic} {wanted:?}"), &request, &[2, 4]).await?;
    }
    Ok(())
}

async fn delete(brokers: &mut Brokers) -> Result<(), Anything> {
    for (topic, partition_index, offset) in [
        ("t", 0, -2),
        ("t", 0, 1 << 40),
        ("t", 9, 0),
        ("nobody", 0, 0),
        ("compacted", 0, 0),
        ("t", 0, 1),
        ("t", 0, 0),
        ("t", 0, -1),
    ] {
        let partitions = vec![DeleteRecordsPartition { partition_index, offset }];
        let topics = vec![DeleteRecordsTopic { name: topic.to_owned(), partitions }];
        let request = DeleteRecordsRequest { topics, timeout_ms: 30_000 };
        brokers.ask(&format!("{topic} {partition_index} {offset}"), &request, &[0, 2]).await?;
    }
    Ok(())
}
