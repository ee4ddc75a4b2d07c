//! What clients ask for, and get.

use std::sync::Arc;

use bytes::Bytes;
use esker::io::MemoryStorage;
use esker::net::messages::api_versions::FinalizedFeatureKey;
use esker::net::messages::metadata::MetadataRequestTopic;
use esker::net::messages::produce::{PartitionProduceResponse, TopicProduceData};
use esker::net::messages::{ApiVersionsRequest, FetchRequest, InitProducerIdRequest, MetadataRequest};
use esker::net::{ApiKey, Connection, ErrorCode};
use esker::record::{BatchBuilder, BatchRef, RecordData};
use esker::server::{Server, ServerConfig, ServerProperties};
use esker::{Acks, CleanupPolicy, Maintenance, ReadLimits, Store, TopicConfig, Uuid};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::within::within;
use super::{
    api_versions, batch, connections, fetch_request, fetched, produce, produce_request, produced, serve, values,
};

#[tokio::test]
async fn what_is_produced_is_fetched_in_every_version() {
    let (store, server) = serve().await;
    let mut expected = Vec::new();
    for connection in connections(&server).await {
        for version in 3..=12 {
            let value = format!("version {version}");
            let response = connection.send(&produce_request(1, 0, batch(&[&value])), version).await.unwrap();
            let offset = expected.len() as i64;
            assert_eq!(produced(response).base_offset, offset);
            expected.push((offset, value));
        }
        for version in 4..=12 {
            let data = fetched(connection.send(&fetch_request(0, 0), version).await.unwrap());
            assert_eq!(data.error_code, ErrorCode::NONE);
            assert_eq!(values(&data), expected);
            assert_eq!((data.high_watermark, data.last_stable_offset), (expected.len() as i64, expected.len() as i64));
        }
    }
    let log = store.partition("t", 0).unwrap();
    assert_eq!(log.read(0, ReadLimits::new()).unwrap().next_offset(), expected.len() as i64);
    server.shutdown().await;
}

#[tokio::test]
async fn the_newest_version_of_produce_speaks_of_topics_by_id() {
    let (store, server) = serve().await;
    let id = store.describe_topic("t").unwrap().id;
    for connection in connections(&server).await {
        for (topic_id, expected) in [(id, ErrorCode::NONE), (Uuid::from_bytes([9; 16]), ErrorCode::UNKNOWN_TOPIC_ID)] {
            let mut request = produce_request(-1, 0, batch(&["a"]));
            request.topic_data[0] = TopicProduceData { name: String::new(), topic_id, ..request.topic_data[0].clone() };
            let response = connection.send(&request, 13).await.unwrap();
            assert_eq!(response.responses[0].topic_id, topic_id);
            assert_eq!(produced(response).error_code, expected);
        }
    }
    assert_eq!(store.partition("t", 0).unwrap().log_end(), 2);
}

#[tokio::test]
async fn acks_say_when_there_is_a_response() {
    let (store, server) = serve().await;
    let log = store.partition("t", 1).unwrap();
    for connection in connections(&server).await {
        let start = log.log_end();
        connection.send_without_response(&produce_request(0, 1, batch(&["a"])), 9).await.unwrap();
        assert_eq!(produce(&connection, 1, 1, batch(&["b", "c"])).await.unwrap().base_offset, start + 1);
        assert_eq!(produce(&connection, -1, 1, batch(&["d"])).await.unwrap().base_offset, start + 3);
        let refused = produce(&connection, 2, 1, batch(&["e"])).await.unwrap();
        assert_eq!((refused.error_code, refused.log_start_offset), (ErrorCode::INVALID_REQUIRED_ACKS, -1));
        // What is wrong with a partition, or what is sent to it, comes first.
        let refused = produce(&connection, 2, 9, batch(&["e"])).await.unwrap();
        assert_eq!(refused.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(produce(&connection, 2, 1, Bytes::new()).await.unwrap().error_code, ErrorCode::INVALID_RECORD);
        assert_eq!(log.log_end(), start + 4);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_batch_that_is_refused_is_refused_alone() {
    let (store, server) = serve().await;
    store.create_topic("small", TopicConfig::new().max_message_bytes(100)).unwrap();
    let connection = server.connect();
    let damaged = |at: usize| {
        let mut bytes = batch(&["a"]).to_vec();
        bytes[at] ^= 1;
        Bytes::from(bytes)
    };
    // Sent as it is, so that its CRC is right.
    let wrong = |at: usize| {
        let mut bytes = damaged(at).to_vec();
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(bytes)
    };
    let two = Bytes::from([batch(&["a"]), batch(&["b"])].concat());
    let of_magic = |magic: i8| {
        let mut bytes = batch(&["a"]).to_vec();
        bytes[16] = magic as u8;
        Bytes::from(bytes)
    };
    // Where the log begins is told once it has looked at the batch.
    let cases = [
        (0, damaged(65), ErrorCode::CORRUPT_MESSAGE, -1),
        // Its count of records, and the length of one.
        (0, damaged(60), ErrorCode::CORRUPT_MESSAGE, -1),
        (0, wrong(60), ErrorCode::INVALID_RECORD, 0),
        (0, wrong(57), ErrorCode::INVALID_RECORD, 0),
        (0, wrong(61), ErrorCode::INVALID_RECORD, 0),
        (0, damaged(7), ErrorCode::INVALID_RECORD, 0),
        (0, two, ErrorCode::INVALID_RECORD, -1),
        (0, Bytes::new(), ErrorCode::INVALID_RECORD, -1),
        (0, batch(&["a"]).slice(..68), ErrorCode::INVALID_RECORD, -1),
        // What is no batch of today is not damaged: clients would send it again and again.
        (0, of_magic(0), ErrorCode::INVALID_RECORD, -1),
        (0, of_magic(1), ErrorCode::INVALID_RECORD, -1),
        (0, of_magic(3), ErrorCode::CORRUPT_MESSAGE, -1),
        (0, of_magic(-1), ErrorCode::CORRUPT_MESSAGE, -1),
        (9, batch(&["a"]), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1),
    ];
    for (partition, records, expected, log_start) in cases {
        let refused = produce(&connection, 1, partition, records).await.unwrap();
        assert_eq!((refused.error_code, refused.base_offset, refused.log_start_offset), (expected, -1, log_start));
    }
    let refused = produce(&connection, 1, 0, of_magic(3)).await.unwrap();
    assert_eq!(refused.error_message.as_deref(), Some("Invalid magic found in record: 3"));
    let mut request = produce_request(1, 0, batch(&[&"x".repeat(100)]));
    request.topic_data[0].name = "small".into();
    let refused = produced(connection.send(&request, 9).await.unwrap());
    assert_eq!((refused.error_code, refused.log_start_offset), (ErrorCode::MESSAGE_TOO_LARGE, -1));
    let mut request = produce_request(1, 0, batch(&["a"]));
    request.topic_data[0].name = "__consumer_offsets".into();
    let refused = produced(connection.send(&request, 9).await.unwrap());
    assert_eq!(refused.error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert_eq!(produce(&connection, 1, 0, batch(&["a"])).await.unwrap().base_offset, 0);
}

#[tokio::test]
async fn clients_are_told_which_records_are_refused() {
    let (store, server) = serve().await;
    store.create_topic("compacted", TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT)).unwrap();
    let send = async |topic: &str, records: &[RecordData<'_>], version| {
        let mut builder = BatchBuilder::new(1 << 20);
        records.iter().for_each(|record| builder.push(record).unwrap());
        let records = Bytes::copy_from_slice(builder.build().unwrap().bytes());
        let mut request = produce_request(-1, 0, records);
        request.topic_data[0].name = topic.into();
        produced(server.connect().send(&request, version).await.unwrap())
    };
    let record = RecordData::of(b"v").at(1);
    let keyed = RecordData { key: Some(b"k"), ..record };
    let from_the_future = record.at(i64::MAX);
    let told = |refused: &PartitionProduceResponse| -> Vec<(i32, bool)> {
        let errors = refused.record_errors.iter();
        errors.map(|error| (error.batch_index, error.batch_index_error_message.is_some())).collect()
    };
    for version in 3..=12 {
        let is_told = version >= 8;
        let refused = send("compacted", &[keyed, record, keyed, record], version).await;
        assert_eq!(refused.error_code, ErrorCode::INVALID_RECORD);
        assert_eq!(refused.log_start_offset, if version >= 5 { 0 } else { -1 });
        assert_eq!(told(&refused), if is_told { vec![(1, true), (3, true)] } else { vec![] });
        let of_one = |index| {
            let text = "Compacted topic cannot accept message without key in topic partition compacted-0";
            format!("RecordError(batchIndex={index}, message='{text}')")
        };
        let of_all = format!(
            "One or more records have been rejected due to 2 record errors in total, and only showing the first three errors \
             at most: [{}, {}]",
            of_one(1),
            of_one(3)
        );
        assert_eq!(refused.error_message, is_told.then_some(of_all));
        let refused = send("t", &[from_the_future, record], version).await;
        assert_eq!(refused.error_code, ErrorCode::INVALID_TIMESTAMP);
        assert_eq!(told(&refused), if is_told { vec![(0, true)] } else { vec![] });
    }
    // What a few bytes ask for has an end.
    let many = vec![record; 10_000];
    assert_eq!(told(&send("compacted", &many, 9).await).len(), 1000);
    let mut builder = BatchBuilder::new(1 << 20);
    many.iter().for_each(|record| builder.push(record).unwrap());
    let mut request = produce_request(-1, 0, Bytes::copy_from_slice(builder.build().unwrap().bytes()));
    request.topic_data[0].name = "compacted".into();
    let twice = request.topic_data[0].partition_data[0].clone();
    request.topic_data[0].partition_data.push(twice);
    let response = server.connect().send(&request, 9).await.unwrap();
    let refused: Vec<_> = response.responses[0].partition_responses.iter().map(|one| told(one).len()).collect();
    assert_eq!(refused, [1000, 0]);
    // A time that is refused says more than a key that is missing.
    let both = send("compacted", &[record, keyed.at(i64::MAX)], 9).await;
    assert_eq!((both.error_code, told(&both).len()), (ErrorCode::INVALID_TIMESTAMP, 2));
    assert_eq!(send("compacted", &[keyed; 2], 9).await.error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn a_fetch_waits_for_records_and_not_for_errors() {
    let (store, server) = serve().await;
    let waiting = FetchRequest { min_bytes: 1, max_wait_ms: i32::MAX, ..fetch_request(0, 0) };
    for connection in connections(&server).await {
        let start = store.partition("t", 0).unwrap().log_end();
        let mut from_the_end = waiting.clone();
        from_the_end.topics[0].partitions[0].fetch_offset = start;
        // While the one waits, the other connection appends what it waits for.
        let other = server.connect();
        let (data, _) = tokio::join!(connection.send(&from_the_end, 12), async {
            let response = other.send(&ApiVersionsRequest::default(), 0).await.unwrap();
            assert_eq!(response.error_code, ErrorCode::NONE, "it is served meanwhile");
            produce(&other, 1, 0, batch(&["at last"])).await.unwrap()
        });
        assert_eq!(values(&fetched(data.unwrap())), [(start, "at last".to_owned())]);

        for (partition, offset, epoch, expected) in [
            (7, 0, -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            (0, 100, -1, ErrorCode::OFFSET_OUT_OF_RANGE),
            (0, start + 1, 5, ErrorCode::UNKNOWN_LEADER_EPOCH),
        ] {
            let mut request = waiting.clone();
            let wanted = &mut request.topics[0].partitions[0];
            (wanted.partition, wanted.fetch_offset, wanted.current_leader_epoch) = (partition, offset, epoch);
            let data = fetched(connection.send(&request, 12).await.unwrap());
            assert_eq!((data.error_code, data.records), (expected, Some(Bytes::new().into())));
        }
    }
    let short = FetchRequest { min_bytes: 1, max_wait_ms: 1, ..fetch_request(1, 0) };
    let data = fetched(server.connect().send(&short, 12).await.unwrap());
    assert_eq!(
        (data.error_code, data.records),
        (ErrorCode::NONE, Some(Bytes::new().into())),
        "it doesn't wait for ever"
    );
}

#[tokio::test]
async fn the_first_batch_comes_however_large_it_is_and_no_other() {
    let (_store, server) = serve().await;
    let connection = server.connect();
    for partition in [0, 1] {
        for _ in 0..2 {
            produce(&connection, 1, partition, batch(&[&"x".repeat(500)])).await.unwrap();
        }
    }
    let mut request = FetchRequest { max_bytes: 10, ..fetch_request(0, 0) };
    let mut second = request.topics[0].partitions[0].clone();
    second.partition = 1;
    request.topics[0].partitions.push(second);
    let response = connection.send(&request, 12).await.unwrap();
    let counts: Vec<usize> = response.responses[0].partitions.iter().map(|data| values(data).len()).collect();
    assert_eq!(counts, [1, 0]);
}

#[tokio::test]
async fn responses_come_in_the_order_of_their_requests() {
    let (_store, server) = serve().await;
    for connection in connections(&server).await {
        let connection = Arc::new(connection);
        let mut tasks = Vec::new();
        for _ in 0..50 {
            let connection = connection.clone();
            tasks.push(tokio::spawn(async move {
                let offset = produce(&connection, -1, 0, batch(&["a"])).await.unwrap().base_offset;
                let metadata = connection.send(&MetadataRequest::default(), 12).await.unwrap();
                assert_eq!(metadata.topics.len(), 1);
                offset
            }));
        }
        let mut offsets = Vec::new();
        for task in tasks {
            offsets.push(task.await.unwrap());
        }
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(offsets.len(), 50, "each request got its own response");
    }
}

#[tokio::test]
async fn metadata_names_this_node_and_the_topics() {
    let (store, server) = serve().await;
    let id = store.describe_topic("t").unwrap().id;
    let wanted = |name: &str| MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let connection = server.connect();
    for version in 0..=13 {
        let all = if version == 0 { Some(Vec::new()) } else { None };
        let response = connection.send(&MetadataRequest { topics: all, ..Default::default() }, version).await.unwrap();
        let broker = &response.brokers[0];
        assert_eq!((&*broker.host, broker.port), ("127.0.0.1", i32::from(server.local_addr().unwrap().port())));
        assert_eq!(response.topics.len(), 1);
        let partitions = &response.topics[0].partitions;
        assert_eq!(partitions.len(), 2);
        assert!(partitions.iter().all(|partition| partition.leader_id == broker.node_id));
        if version >= 1 {
            assert_eq!(response.controller_id, broker.node_id);
        }
        if version >= 10 {
            assert_eq!(response.topics[0].topic_id, id);
        }
    }
    for version in 8..=13 {
        let request = MetadataRequest {
            topics: Some(vec![wanted("t"), wanted("t")]),
            include_cluster_authorized_operations: version <= 10,
            include_topic_authorized_operations: true,
            ..Default::default()
        };
        let response = connection.send(&request, version).await.unwrap();
        let [topic] = &response.topics[..] else { panic!("each is told of once: {response:?}") };
        assert!(topic.topic_authorized_operations > 0);
        assert_eq!(response.cluster_authorized_operations > 0, version <= 10);
    }
    let none = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    assert_eq!(connection.send(&none, 1).await.unwrap().topics, []);

    let request = |topics, allow_auto_topic_creation| MetadataRequest {
        topics: Some(topics),
        allow_auto_topic_creation,
        ..Default::default()
    };
    let by_id = |topic_id| MetadataRequestTopic { topic_id, ..Default::default() };
    // As Java's consumers ask for the topics that their regular expressions stand for (KIP-848).
    let without_name = MetadataRequestTopic { topic_id: id, name: Some(String::new()) };
    let response = connection.send(&request(vec![without_name], true), 12).await.unwrap();
    assert_eq!(response.topics[0].name.as_deref(), Some("t"));
    let nobody = Uuid::from_bytes([9; 16]);
    let response = connection.send(&request(vec![by_id(id), by_id(nobody)], true), 12).await.unwrap();
    let names: Vec<_> = response.topics.iter().map(|topic| (topic.error_code, topic.name.as_deref())).collect();
    assert_eq!(names, [(ErrorCode::NONE, Some("t")), (ErrorCode::UNKNOWN_TOPIC_ID, None)]);
    let response = connection.send(&request(vec![wanted("unasked"), by_id(id)], true), 12).await.unwrap();
    let names: Vec<_> = response.topics.iter().map(|topic| topic.name.as_deref()).collect();
    assert_eq!(names, [Some("t")], "beside ids names are passed over");

    for (name, may_create, expected) in [
        ("new", false, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("new", true, ErrorCode::NONE),
        ("no/topic", true, ErrorCode::INVALID_TOPIC_EXCEPTION),
        // Who is told that it is unknown asks again and again.
        ("no/topic", false, ErrorCode::INVALID_TOPIC_EXCEPTION),
        ("__consumer_offsets", false, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("__consumer_offsets", true, ErrorCode::NONE),
        ("__share_group_state", true, ErrorCode::INVALID_TOPIC_EXCEPTION),
    ] {
        let response = connection.send(&request(vec![wanted(name)], may_create), 12).await.unwrap();
        assert_eq!(response.topics[0].error_code, expected, "{name}");
    }
    assert_eq!(store.topics(), ["__consumer_offsets", "new", "t"]);
    // Ids are for later versions to ask for.
    for version in [10, 11] {
        let unnamed = MetadataRequestTopic { name: None, ..Default::default() };
        let named_twice = MetadataRequestTopic { topic_id: id, ..wanted("t") };
        let response = connection.send(&request(vec![unnamed, named_twice], true), version).await.unwrap();
        assert!(response.topics.iter().all(|topic| topic.error_code == ErrorCode::INVALID_REQUEST), "{response:?}");
    }

    let mut config = ServerConfig { auto_create_topics_enable: false, ..ServerConfig::default() };
    config.set("advertised.listeners", "PLAINTEXT://example.org:1").unwrap();
    let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
    let response = server.connect().send(&request(vec![wanted("other")], true), 12).await.unwrap();
    assert_eq!(response.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!((&*response.brokers[0].host, response.brokers[0].port), ("example.org", 1));
}

#[tokio::test]
async fn api_versions_are_told_in_every_version() {
    let (_store, server) = serve().await;
    for connection in connections(&server).await {
        for version in 0..=4 {
            let response = connection.send(&api_versions(), version).await.unwrap();
            assert_eq!(response.error_code, ErrorCode::NONE);
            let produce = response.api_keys.iter().find(|api| api.api_key == ApiKey::Produce.key()).unwrap();
            assert_eq!((produce.min_version, produce.max_version), (0, 13));
            let supported: Vec<_> =
                response.supported_features.iter().map(|one| (&*one.name, one.max_version)).collect();
            assert_eq!(supported.contains(&("transaction.version", 2)), version >= 4, "{supported:?}");
            assert_eq!(supported.contains(&("metadata.version", 30)), version >= 3, "{supported:?}");
            let is_level_2 =
                |one: &FinalizedFeatureKey| one.name == "transaction.version" && one.max_version_level == 2;
            assert_eq!(response.finalized_features.iter().any(is_level_2), version >= 3);
            assert_eq!(response.finalized_features_epoch >= 0, version >= 3, "clients believe none that has no epoch");
        }
    }
}

#[tokio::test]
async fn a_server_stops_in_good_order() {
    let (store, server) = serve().await;
    let address = server.local_addr().unwrap();
    let connections = connections(&server).await;
    let waiting = FetchRequest { min_bytes: 1, max_wait_ms: i32::MAX, ..fetch_request(0, 0) };
    let tasks = connections.map(|connection| {
        let waiting = waiting.clone();
        tokio::spawn(async move {
            tokio::join!(connection.send(&waiting, 12), produce(&connection, 1, 1, batch(&["behind it"])))
        })
    });
    let log = store.partition("t", 1).unwrap();
    // By then both fetches wait, for requests begin in their order.
    within(async {
        while log.log_end() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!tasks.iter().any(JoinHandle::is_finished));
    let other = server.connect();
    produce(&other, -1, 1, batch(&["a"])).await.unwrap();
    server.shutdown().await;
    for task in tasks {
        let (response, appended) = task.await.unwrap();
        assert_eq!(values(&fetched(response.unwrap())), [], "what there is");
        assert!(appended.unwrap().base_offset < 2, "what was appended is answered before the end");
    }
    assert!(produce(&other, 1, 1, batch(&["b"])).await.is_err());
    assert!(Connection::connect(address).await.is_err());
    // The store is the caller's still.
    let records = batch(&["b"]);
    store.partition("t", 1).unwrap().append(BatchRef::parse(&records).unwrap(), Acks::All).unwrap();
    store.close().unwrap();
}

#[tokio::test]
async fn a_server_serves_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut properties = ServerProperties::new();
    properties.read("node.id=7\nlisteners=PLAINTEXT://127.0.0.1:0").unwrap();
    let store = properties.open_store(dir.path()).unwrap();
    assert_eq!(store.node_id(), 7);
    let server = Server::builder(store.clone()).config(properties.server).start().await.unwrap();
    let connection = server.connect();
    let stop = Notify::new();
    let use_it = async {
        connection.send(&api_versions(), 4).await.unwrap();
        stop.notify_one();
    };
    tokio::join!(use_it, server.serve_until(stop.notified()));
    assert!(connection.send(&api_versions(), 4).await.is_err(), "it has stopped");
    assert!(store.topics().is_empty(), "the store is open still");
    store.close().unwrap();
}

/// Whoever is told of a fault of the storage tries again, for minutes.
#[tokio::test]
async fn what_can_only_be_read_is_served_and_no_producer_tries_again() {
    let ((writer, _), records) = (serve().await, batch(&["a"]));
    writer.partition("t", 0).unwrap().append(BatchRef::parse(&records).unwrap(), Acks::All).unwrap();
    let store = Store::options().open_read_only(writer.dir()).unwrap();
    let server = Server::builder(store).in_memory().unwrap();
    let connection = server.connect();
    let data = fetched(connection.send(&fetch_request(0, 0), 12).await.unwrap());
    assert_eq!(values(&data), [(0, "a".to_owned())]);
    let refused = produce(&connection, -1, 0, batch(&["b"])).await.unwrap();
    assert_eq!(refused.error_code, ErrorCode::POLICY_VIOLATION);
    // That is what an idempotent producer begins with.
    for transactional_id in [None, Some("t".to_owned())] {
        let request = InitProducerIdRequest { transactional_id, transaction_timeout_ms: 60_000, ..Default::default() };
        let refused = connection.send(&request, 4).await.unwrap();
        assert_eq!(refused.error_code, ErrorCode::POLICY_VIOLATION);
    }
}

#[test]
#[should_panic(expected = "timers are disabled")]
fn without_time_a_server_does_not_seem_to_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _ = runtime.block_on(Server::builder(Store::temporary().unwrap()).bind("127.0.0.1:0"));
}

/// Most have no thread, file or socket of their own. One in twenty is as brokers are by default.
#[tokio::test]
async fn a_thousand_brokers_live_in_one_process() {
    let mut servers = Vec::new();
    for number in 0..1000 {
        let is_as_by_default = number % 20 == 0;
        let in_memory = || Store::options().storage(Arc::new(MemoryStorage::new())).maintenance(Maintenance::Manual);
        let store = if is_as_by_default { Store::temporary() } else { in_memory().open("data") }.unwrap();
        store.create_topic("t", TopicConfig::new()).unwrap();
        let builder = Server::builder(store.clone());
        let server = if is_as_by_default { builder.bind("127.0.0.1:0").await } else { builder.in_memory() }.unwrap();
        let connection = match server.local_addr() {
            Some(address) => Connection::connect(address).await.unwrap(),
            None => server.connect(),
        };
        assert_eq!(produce(&connection, -1, 0, batch(&[&format!("{number}")])).await.unwrap().base_offset, 0);
        servers.push((store, server, connection));
    }
    for (number, (store, server, connection)) in servers.into_iter().enumerate() {
        let data = fetched(connection.send(&fetch_request(0, 0), 12).await.unwrap());
        assert_eq!(values(&data), [(0, number.to_string())]);
        server.shutdown().await;
        store.close().unwrap();
    }
}
