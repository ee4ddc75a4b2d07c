//! Deleting records of many partitions by one request.

use std::sync::Arc;

use esker::net::messages::DeleteRecordsRequest;
use esker::net::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use esker::net::{Connection, ErrorCode};
use esker::record::{BatchBuilder, RecordData};
use esker::server::Server;
use esker::sim::{Crash, Fault, FaultStorage};
use esker::{Acks, Maintenance, Store, TopicConfig};

const PARTITIONS: i32 = 50;

fn open(disk: &FaultStorage) -> Store {
    let options = Store::options().storage(Arc::new(disk.clone())).maintenance(Maintenance::Manual);
    options.open("/data").unwrap()
}

/// Deletes below an offset of each partition of "t". Returns what is left of them, and what was wrong.
async fn delete(connection: &Connection, offsets: &[(i32, i64)]) -> Vec<(i32, i64, ErrorCode)> {
    let partition = |&(partition_index, offset): &(i32, i64)| DeleteRecordsPartition { partition_index, offset };
    let partitions = offsets.iter().map(partition).collect();
    let topics = vec![DeleteRecordsTopic { name: "t".into(), partitions }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 1_000 };
    let answered = connection.send(&request, 2).await.unwrap().topics.into_iter().flat_map(|topic| topic.partitions);
    answered.map(|answered| (answered.partition_index, answered.low_watermark, answered.error_code)).collect()
}

/// All checkpoints were written and synced anew for each partition.
#[tokio::test]
async fn records_of_many_partitions_are_deleted_for_good_by_writing_once() {
    let disk = FaultStorage::new(1);
    let store = open(&disk);
    store.create_topic("t", TopicConfig::new().partitions(PARTITIONS)).unwrap();
    for partition in 0..PARTITIONS {
        let log = store.partition("t", partition).unwrap();
        for _ in 0..3 {
            let mut builder = BatchBuilder::new(100);
            builder.push(&RecordData::of(b"value")).unwrap();
            log.append(builder.build().unwrap(), Acks::All).unwrap();
        }
    }
    let server = Server::builder(store.clone()).in_memory().unwrap();
    let connection = server.connect();
    let writes = |disk: &FaultStorage| disk.trace().iter().filter(|line| line.contains("offset-checkpoint")).count();

    disk.start_trace();
    let refused = [(0, 4, ErrorCode::OFFSET_OUT_OF_RANGE), (PARTITIONS, 1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)];
    let wanted = refused.map(|(partition, offset, _)| (partition, offset));
    assert_eq!(delete(&connection, &wanted).await, refused.map(|(partition, _, error)| (partition, -1, error)));
    assert_eq!(writes(&disk), 0);

    let wanted: Vec<_> = (1..PARTITIONS).map(|partition| (partition, 2)).chain(wanted).collect();
    let answered = delete(&connection, &wanted).await;
    assert!((1..30).contains(&writes(&disk)), "{}", writes(&disk));
    let [first, deleted @ .., last] = &answered[..] else { panic!("{answered:?}") };
    assert_eq!([first.2, last.2], refused.map(|(_, _, error)| error));
    assert!(
        deleted.iter().copied().eq((1..PARTITIONS).map(|partition| (partition, 2, ErrorCode::NONE))),
        "{deleted:?}"
    );

    let restarted = open(&disk.after_crash(Crash::Power, 1));
    for partition in 0..PARTITIONS {
        let log_start = if partition == 0 { 0 } else { 2 };
        assert_eq!(restarted.partition("t", partition).unwrap().log_start(), log_start, "{partition}");
    }

    // What is not written down is not acknowledged.
    disk.inject(Fault::io_error().on_mutations().on_paths(|path| path.to_string_lossy().contains("log-start")));
    let failed = delete(&connection, &[(1, 3), (2, 3)]).await;
    assert_eq!(failed, [1, 2].map(|partition| (partition, -1, ErrorCode::KAFKA_STORAGE_ERROR)));
}
