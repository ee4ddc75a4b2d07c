//! One partition through the public API: appends, rolls, reads, retention.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::thread;

use api::{block_on, manual_store, poll_once};
use esker::record::{BatchBuilder, RecordData};
use esker::{
    Acks, AppendOptions, Appended, Consumer, Error, Log, Offset, Producer, ReadLimits, Result, Store, TopicConfig,
};

const _: () = {
    const fn is_shared<T: Clone + Send + Sync>() {}
    const fn is_sent<T: Send>() {}
    is_shared::<Store>();
    is_shared::<Producer>();
    is_shared::<Log>();
    is_sent::<Consumer>();
};

fn append(log: &Log, timestamp: i64, value: &[u8]) -> i64 {
    append_one(log, timestamp, value).base_offset
}

fn append_one(log: &Log, timestamp: i64, value: &[u8]) -> Appended {
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::of(value).at(timestamp)).unwrap();
    log.append(builder.build().unwrap(), Acks::Leader).unwrap()
}

fn read_all(log: &Log) -> Vec<(i64, Vec<u8>)> {
    let mut records = Vec::new();
    let mut offset = log.log_start();
    while offset < log.high_watermark() {
        let fetched = log.read(offset, ReadLimits::new().max_bytes(500)).unwrap();
        for batch in fetched.batches() {
            for record in &batch.unwrap().records().unwrap() {
                let record = record.unwrap();
                records.push((record.offset, record.value.unwrap().to_vec()));
            }
        }
        offset = fetched.next_offset();
    }
    records
}

#[test]
fn records_come_back_across_segments_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut config = TopicConfig::new();
    config.set("internal.segment.bytes", "1000").unwrap();
    config.set("index.interval.bytes", "200").unwrap();
    store.create_topic("t", config).unwrap();
    let log = store.partition("t", 0).unwrap();
    let now = 1_700_000_000_000;
    for index in 0..100_i64 {
        assert_eq!(append(&log, now + index, format!("value {index}").as_bytes()), index);
    }
    assert!(log.segment_count() > 5);
    let before = read_all(&log);
    assert_eq!(before.len(), 100);
    for offset in 0..100 {
        let fetched = log.read(offset, ReadLimits::new().max_bytes(1)).unwrap();
        let batch = fetched.batches().next().unwrap().unwrap();
        assert_eq!(batch.header().base_offset, offset);
        let found = log.offset_for_timestamp(now + offset).unwrap().unwrap();
        assert_eq!(found.offset, offset);
    }
    store.close().unwrap();
    drop((store, log));

    let store = Store::open(dir.path()).unwrap();
    assert!(store.recovery_report().clean_shutdown);
    let log = store.partition("t", 0).unwrap();
    assert_eq!(read_all(&log), before);
    assert_eq!(append(&log, now + 100, b"one more"), 100);
    assert_eq!(log.offset_for_timestamp(now + 100).unwrap().unwrap().offset, 100);
}

fn append_if(log: &Log, value: &[u8], options: AppendOptions) -> Result<Appended> {
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::of(value).at(1_700_000_000_000)).unwrap();
    log.append_with(builder.build().unwrap(), options)
}

#[test]
fn of_those_who_expect_the_same_offset_one_appends() {
    const THREADS: u8 = 4;
    const END: Offset = 400;
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let take_what_there_is = |name: u8| {
        let mut taken = Vec::new();
        loop {
            let expected = log.log_end();
            if expected >= END {
                return taken;
            }
            match append_if(&log, &[name], AppendOptions::new(Acks::Leader).expected_offset(expected)) {
                Ok(appended) => {
                    assert_eq!(appended.base_offset, expected);
                    taken.push((expected, vec![name]));
                }
                Err(Error::UnexpectedOffset { expected: told, actual, .. }) => {
                    assert!(told == expected && actual > expected, "{actual} where {expected} was expected");
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    let mut taken: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|name| scope.spawn(move || take_what_there_is(name))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    taken.sort_unstable();
    let records = read_all(&log);
    assert_eq!(records, taken, "who was told that a record is in the log at an offset is right");
    for expected in [END - 1, END + 1] {
        let refused = append_if(&log, b"x", AppendOptions::new(Acks::Leader).expected_offset(expected));
        assert!(matches!(refused, Err(Error::UnexpectedOffset { actual: END, .. })), "{refused:?}");
    }
    assert_eq!(log.log_end(), END);
}

#[test]
fn who_takes_over_a_log_fences_who_had_it() {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let append_under = |epoch| append_if(&log, b"v", AppendOptions::new(Acks::Leader).leader_epoch(epoch));
    assert_eq!(append_under(0).unwrap().base_offset, 0);
    assert_eq!(log.set_leader_epoch(7).unwrap(), 1);
    for epoch in [0, 6, 8] {
        let refused = append_under(epoch);
        let is_told =
            matches!(refused, Err(Error::FencedLeaderEpoch { requested, current: 7, .. }) if requested == epoch);
        assert!(is_told, "{refused:?}");
    }
    assert!(matches!(log.set_leader_epoch(6), Err(Error::FencedLeaderEpoch { .. })));
    assert_eq!(append_under(7).unwrap().base_offset, 1);
    let epochs: Vec<_> = log.leader_epochs().iter().map(|entry| (entry.epoch, entry.start_offset)).collect();
    assert_eq!(epochs, [(0, 0), (7, 1)]);
}

#[test]
fn many_await_a_sync_without_a_thread_of_theirs() {
    const PARTITIONS: i32 = 3;
    let store = api::store();
    store.create_topic("t", TopicConfig::new().partitions(PARTITIONS)).unwrap();
    let logs: Vec<_> = (0..PARTITIONS).map(|partition| store.partition("t", partition).unwrap()).collect();
    let awaited: Vec<_> = logs
        .iter()
        .cycle()
        .take(1_000)
        .map(|log| (log, append_one(log, 1, b"v")))
        .map(|(log, appended)| (log, appended, log.synced(&appended)))
        .collect();
    for (log, appended, synced) in awaited {
        block_on(synced).unwrap();
        assert!(log.recovery_point() > appended.last_offset);
    }
}

#[test]
fn a_sync_that_is_awaited_comes_with_a_tick_once_for_all() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let mut awaited: Vec<_> = (0..3).map(|_| append_one(&log, 1, b"v")).map(|appended| log.synced(&appended)).collect();
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 0, "nobody has asked yet");
    assert!(awaited.iter_mut().all(|synced| poll_once(synced).is_pending()));
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 3);
    assert!(awaited.iter_mut().all(|synced| poll_once(synced).map(Result::unwrap).is_ready()));
    let mut dropped = log.synced(&append_one(&log, 1, b"v"));
    assert!(poll_once(&mut dropped).is_pending());
    drop(dropped);
    store.tick().unwrap();
    assert_eq!(log.recovery_point(), 4, "what was asked for is done");
}

#[test]
fn who_awaits_a_sync_is_told_what_became_of_the_log() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let [kept, cut] = [(), ()].map(|()| append_one(&log, 1, b"v"));
    let [mut kept, mut cut] = [kept, cut].map(|appended| log.synced(&appended));
    assert!(poll_once(&mut kept).is_pending() && poll_once(&mut cut).is_pending());
    log.truncate_to(1).unwrap();
    assert!(matches!(block_on(cut), Err(Error::LogTruncated { .. })));
    let mut closed = log.synced(&append_one(&log, 1, b"v"));
    assert!(poll_once(&mut closed).is_pending());
    store.close().unwrap();
    // To close it is to sync it.
    block_on(kept).unwrap();
    block_on(closed).unwrap();

    let store = manual_store();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let log = store.partition("t", 0).unwrap();
    let mut deleted = log.synced(&append_one(&log, 1, b"v"));
    assert!(poll_once(&mut deleted).is_pending());
    store.delete_topic("t").unwrap();
    assert!(matches!(block_on(deleted), Err(Error::UnknownTopicOrPartition { .. })));
}
