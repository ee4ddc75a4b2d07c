//! What a producer with `acks` −1 was answered survives a loss of power, wherever that hits, and whichever way its
//! batch took.

use std::sync::Arc;

use bytes::Bytes;
use esker::net::messages::{InitProducerIdRequest, ProduceRequest};
use esker::net::{Connection, ErrorCode};
use esker::record::{BatchBuilder, Compression, RecordData};
use esker::server::Server;
use esker::sim::{Crash, FaultStorage};
use esker::{Maintenance, Offset, Store, TopicConfig};

use super::{batch, produce, produce_request, produced};

const IMAGES: u64 = 4;

fn open(disk: &FaultStorage) -> Store {
    let options = Store::options().storage(Arc::new(disk.clone())).maintenance(Maintenance::Manual);
    options.open("/data").unwrap()
}

/// A client that has produced to partition 0 of "t", so that its files are open, and nothing to partition 1. If it is
/// `transactional`, it has the id to begin a transaction with.
async fn client(disk: &FaultStorage, transactional: bool) -> (Server, Connection, BatchBuilder) {
    let store = open(disk);
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let server = Server::builder(store).in_memory().unwrap();
    let connection = server.connect();
    assert_eq!(produce(&connection, -1, 0, batch(&["opens files"])).await.unwrap().base_offset, 0);
    let mut builder = BatchBuilder::new(1 << 20);
    if transactional {
        let transactional_id = Some("x".to_owned());
        let request = InitProducerIdRequest { transactional_id, transaction_timeout_ms: 60_000, ..Default::default() };
        let response = connection.send(&request, 5).await.unwrap();
        assert_eq!(response.error_code, ErrorCode::NONE);
        builder = builder.transactional(true).producer(response.producer_id, response.producer_epoch, 0);
    }
    (server, connection, builder)
}

/// A way that a batch may take.
struct Way {
    partition: i32,
    first_offset: Offset,
    value: String,
    compression: Compression,
    transactional: bool,
}

impl Way {
    /// Lets the disk crash in each mutation from the batch's append to its sync. Returns in how many of them nothing
    /// was answered but an error.
    async fn crash_everywhere(&self) -> u64 {
        for crashed in 0.. {
            let disk = FaultStorage::new(crashed);
            let (server, connection, builder) = client(&disk, self.transactional).await;
            let mut builder = builder.compression(self.compression);
            builder.push(&RecordData::of(self.value.as_bytes()).at(1)).unwrap();
            let records = Bytes::copy_from_slice(builder.build().unwrap().bytes());
            let transactional_id = self.transactional.then(|| "x".to_owned());
            let request = ProduceRequest { transactional_id, ..produce_request(-1, self.partition, records) };
            disk.crash_at(disk.mutations() + crashed);
            let answered = produced(connection.send(&request, 12).await.unwrap());
            let is_done = !disk.has_crashed();
            disk.crash();
            drop(server);
            if answered.error_code == ErrorCode::NONE {
                assert_eq!(answered.base_offset, self.first_offset);
                (0..IMAGES).for_each(|seed| self.find(&disk.after_crash(Crash::Power, seed)));
            }
            if is_done {
                assert_eq!(answered.error_code, ErrorCode::NONE);
                return crashed;
            }
        }
        unreachable!("there are so many mutations")
    }

    fn find(&self, disk: &FaultStorage) {
        let store = open(disk);
        let log = store.partition("t", self.partition).unwrap();
        let fetched = log.read(self.first_offset, esker::ReadLimits::new()).unwrap();
        let batch = fetched.batches().next().expect("what was answered is there").unwrap();
        let records = batch.records().unwrap();
        let record = records.iter().next().unwrap().unwrap();
        assert_eq!((record.offset, record.value), (self.first_offset, Some(self.value.as_bytes())));
    }
}

/// All but the small one are appended on another thread than that which answers.
#[tokio::test]
async fn what_was_answered_with_acks_all_survives_a_loss_of_power() {
    let small = || Way {
        partition: 0,
        first_offset: 1,
        value: "value".into(),
        compression: Compression::None,
        transactional: false,
    };
    for way in [
        small(),
        Way { value: "x".repeat(200_000), ..small() },
        Way { partition: 1, first_offset: 0, ..small() },
        #[cfg(feature = "gzip")]
        Way { compression: Compression::Gzip, ..small() },
        Way { transactional: true, ..small() },
    ] {
        assert!(way.crash_everywhere().await > 0, "a sync is a point where it may crash");
    }
}
