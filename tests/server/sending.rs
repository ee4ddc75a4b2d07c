//! Records on their way to a client: from the files of the log where the system can send them by itself, and otherwise
//! by a copy. They are the same either way, whatever becomes of the log meanwhile.
#![cfg(feature = "prometheus")]

use std::sync::Arc;

use bytes::Bytes;
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::{FetchRequest, request_frame};
use esker::net::{ApiKey, Connection, ErrorCode, RequestHeader};
use esker::record::{BatchBuilder, RecordData};
use esker::server::{Server, ServerConfig};
use esker::{CleanupPolicy, Log, Maintenance, ReadLimits, Store, StoreConfig, TopicConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::metrics::{scrape_when_quiet, until, value};
use super::random::Random;
use super::{fetched, produce};

/// From this size on records are sent from files.
const FILE_BYTES_MIN: usize = 512 * 1024;
/// The first segment of a [`large`] topic, which no client's buffers hold.
const SEGMENT_BYTES: i32 = 9 << 20;

async fn serve(store: &Store) -> Server {
    let config = ServerConfig { sendfile_to_local_clients: true, ..Default::default() };
    Server::builder(store.clone()).config(config).metrics_listener("0").bind("127.0.0.1:0").await.unwrap()
}

/// A batch of one record that has so many bytes.
fn record(key: &[u8], bytes: usize) -> Bytes {
    let value: Vec<u8> = (0..bytes).map(|at| (at * at / 7) as u8).collect();
    let mut builder = BatchBuilder::new(2 << 20);
    builder.push(&RecordData { timestamp: 1, key: Some(key), value: Some(&value), headers: &[] }).unwrap();
    Bytes::copy_from_slice(builder.build().unwrap().bytes())
}

async fn fill(server: &Server, partition: i32, sizes: impl IntoIterator<Item = usize>) {
    let connection = server.connect();
    for bytes in sizes {
        assert_eq!(produce(&connection, 1, partition, record(b"k", bytes)).await.unwrap().error_code, ErrorCode::NONE);
    }
}

/// Asks for all partitions of a topic from these offsets on.
fn request(offsets: &[i64], max_bytes: i32) -> FetchRequest {
    let partitions = (0..).zip(offsets).map(|(partition, offset)| FetchPartition {
        partition,
        fetch_offset: *offset,
        partition_max_bytes: max_bytes,
        ..Default::default()
    });
    let topics = vec![FetchTopic { topic: "t".into(), partitions: partitions.collect(), ..Default::default() }];
    FetchRequest { topics, ..Default::default() }
}

/// How much has been sent from files.
async fn sent_from_files(server: &Server) -> usize {
    value(&scrape_when_quiet(server).await, "esker_sent_from_files_bytes_total", &[]) as usize
}

#[tokio::test]
async fn records_are_the_same_from_files_and_from_memory() {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    let server = serve(&store).await;
    fill(&server, 0, [1, 1000, 524_000, 525_000, 200_001, 1_000_000]).await;
    fill(&server, 1, std::iter::repeat_n(30_011, 150)).await;
    fill(&server, 2, [10, 20]).await;
    let socket = Connection::connect(server.local_addr().unwrap()).await.unwrap();
    let pipe = server.connect();
    let (mut expected, mut expected_from_files) = (Vec::new(), 0);
    for offsets in [[0, 0, 0], [2, 70, 1], [3, 149, 2], [4, 1, 0], [5, 2, 0]] {
        for max_bytes in [1, 1000, 600_000, 1 << 20, 50 << 20] {
            for version in [4, 11, 12] {
                let request = request(&offsets, max_bytes);
                expected.push((request.clone(), version, pipe.send(&request, version).await.unwrap()));
            }
        }
    }
    assert_eq!(sent_from_files(&server).await, 0, "a pipe takes no files");
    for (request, version, expected) in &expected {
        assert_eq!(&socket.send(request, *version).await.unwrap(), expected);
        let partitions = expected.responses.iter().flat_map(|topic| &topic.partitions);
        let sizes = partitions.map(|data| data.records.as_ref().unwrap().len());
        expected_from_files += sizes.filter(|bytes| *bytes >= FILE_BYTES_MIN).sum::<usize>();
    }
    assert!(expected_from_files > 10 << 20, "{expected_from_files}");
    let expected_from_files = if cfg!(target_os = "linux") { expected_from_files } else { 0 };
    assert_eq!(sent_from_files(&server).await, expected_from_files);
    server.shutdown().await;
}

#[tokio::test]
async fn what_is_in_memory_is_copied_for_clients_on_the_same_machine() {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = Server::builder(store).metrics_listener("0").bind("127.0.0.1:0").await.unwrap();
    fill(&server, 0, [1_000_000; 3]).await;
    let request = request(&[0], 10 << 20);
    let expected = server.connect().send(&request, 12).await.unwrap();
    let socket = Connection::connect(server.local_addr().unwrap()).await.unwrap();
    assert_eq!(socket.send(&request, 12).await.unwrap(), expected);
    assert_eq!(sent_from_files(&server).await, 0);
    server.shutdown().await;
}

#[tokio::test]
async fn responses_that_leave_together_are_each_what_it_is_alone() {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = serve(&store).await;
    fill(&server, 0, [1, 600_000, 20, 3000, 700_000, 5]).await;
    let socket = Arc::new(Connection::connect(server.local_addr().unwrap()).await.unwrap());
    let pipe = server.connect();
    let mut random = Random::new(1);
    for round in 0..20 {
        let mut sent = Vec::new();
        for _ in 0..20 {
            let request = request(&[random.below(6) as i64], 1);
            let expected = pipe.send(&request, 12).await.unwrap();
            let socket = socket.clone();
            sent.push((expected, tokio::spawn(async move { socket.send(&request, 12).await.unwrap() })));
        }
        for (expected, sent) in sent {
            assert_eq!(sent.await.unwrap(), expected, "round {round}");
        }
    }
    server.shutdown().await;
}

/// Logs of several segments that grow and lose their beginnings, by seed.
#[tokio::test]
async fn whatever_is_asked_of_a_log_is_the_same_from_files_and_from_memory() {
    for seed in 0..3 {
        let mut random = Random::new(seed);
        let store = Store::options().maintenance(Maintenance::Manual).open_temporary().unwrap();
        store.create_topic("t", TopicConfig::new().partitions(2).internal_segment_bytes(3 << 20)).unwrap();
        let server = serve(&store).await;
        let socket = Connection::connect(server.local_addr().unwrap()).await.unwrap();
        let pipe = server.connect();
        for _ in 0..12 {
            let partition = random.below(2) as usize;
            let mut size = || *random.pick(&[1, 300_000, 600_000, 1_000_000]);
            let sizes = [size(), size(), size()].map(|max| random.below(max) as usize);
            fill(&server, partition as i32, sizes).await;
            let logs = [0, 1].map(|partition| store.partition("t", partition).unwrap());
            let offsets = logs.each_ref().map(|log| {
                let (start, end) = (log.log_start(), log.log_end());
                start + random.below((end - start + 1) as u64) as i64
            });
            if random.one_in(3) {
                logs[partition].delete_records(offsets[partition]).unwrap();
                store.tick().unwrap();
            }
            for version in [4, 7, 11, 12] {
                let request = request(&offsets, *random.pick(&[100, 700_000, 1 << 20, 8 << 20]));
                let [sent, copied] = [&socket, &pipe].map(|connection| connection.send(&request, version));
                assert_eq!(sent.await.unwrap(), copied.await.unwrap(), "seed {seed}: {request:?}");
            }
        }
        assert_eq!(sent_from_files(&server).await > 1 << 20, cfg!(target_os = "linux"), "seed {seed}");
        server.shutdown().await;
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn nothing_goes_past_tls() {
    use super::secured::{Authority, BOTH_VERSIONS, Client, Files, config, text, tls_client, tls_connect};
    let (authority, files) = (Authority::new(), Files::new());
    let keystore = files.write("server.pem", &authority.issue("server").pem());
    let config = config(&[("listeners", "SSL://127.0.0.1:0"), ("ssl.keystore.location", text(&keystore))]);
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = Server::builder(store).config(config).metrics_listener("0").start().await.unwrap();
    fill(&server, 0, [1_000_000; 3]).await;
    let mut client = Client::over(tls_connect(&server, tls_client(&authority, None, &BOTH_VERSIONS)).await.unwrap());
    let request = request(&[0], 10 << 20);
    let response = client.call(&request, 11).await.unwrap();
    assert_eq!(response, server.connect().send(&request, 11).await.unwrap());
    drop(client);
    assert_eq!(sent_from_files(&server).await, 0);
    server.shutdown().await;
}

/// A server of a topic with one partition, whose first segment is large and whose second is not.
async fn large(store_config: StoreConfig, config: TopicConfig) -> (Store, Server, Log) {
    let store = Store::options().maintenance(Maintenance::Manual).config(store_config).open_temporary().unwrap();
    store.create_topic("t", config.internal_segment_bytes(SEGMENT_BYTES).file_delete_delay_ms(0)).unwrap();
    let server = serve(&store).await;
    fill(&server, 0, [1_000_000; 10]).await;
    let log = store.partition("t", 0).unwrap();
    (store, server, log)
}

/// Sends a request for all of the first segment.
async fn ask(stream: &mut (impl AsyncWrite + Unpin)) {
    let header = RequestHeader { api_key: ApiKey::Fetch, api_version: 12, correlation_id: 1, client_id: None };
    let frame = request_frame(&header, &request(&[0], 50 << 20)).unwrap();
    stream.write_all(&frame.to_bytes()).await.unwrap();
}

async fn read(stream: &mut (impl AsyncRead + Unpin), bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    stream.read_exact(&mut buffer).await.unwrap();
    buffer
}

/// The response to what [`ask`] asks, by a copy.
async fn expected(server: &Server) -> Vec<u8> {
    let (mut here, there) = tokio::io::duplex(1 << 20);
    server.serve(there);
    ask(&mut here).await;
    let mut response = read(&mut here, 4).await;
    let size = u32::from_be_bytes(*response.first_chunk().unwrap()) as usize;
    response.extend(read(&mut here, size).await);
    response
}

/// A client to which little can be under way, in the midst of the response to what [`ask`] asks, and what it has read.
async fn slow(server: &Server) -> (TcpStream, Vec<u8>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.local_addr().unwrap()).await.unwrap();
    ask(&mut stream).await;
    let begun = read(&mut stream, 100_001).await;
    (stream, begun)
}

/// Reads the rest by odd pieces.
async fn read_on((stream, begun): &mut (TcpStream, Vec<u8>), end: usize) {
    for piece in (1..).map(|round| round * 777) {
        match piece.min(end - begun.len()) {
            0 => return,
            bytes => begun.extend(read(stream, bytes).await),
        }
    }
}

/// What happens to which topic meanwhile.
type Case = (&'static str, TopicConfig, fn(&Store, &Log));

#[tokio::test]
async fn a_response_that_is_being_sent_outlives_its_log() {
    let plain = || TopicConfig::new();
    let compacted = || TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT);
    let cases: [Case; 4] = [
        ("the topic is deleted", plain(), |store, _| {
            store.delete_topic("t").unwrap();
            store.create_topic("t", TopicConfig::new()).unwrap();
            store.tick().unwrap();
        }),
        ("its segment is deleted", plain(), |store, log| {
            log.delete_records(log.high_watermark()).unwrap();
            store.tick().unwrap();
        }),
        ("it is compacted", compacted(), |store, log| {
            store.compact("t").unwrap();
            assert_eq!(log.read(0, ReadLimits::new()).unwrap().next_offset(), 10);
        }),
        ("its end is cut off", plain(), |_, log| {
            assert_eq!(log.truncate_to(1).unwrap(), 1);
        }),
    ];
    for (what, config, happens) in cases {
        let (store, server, log) = large(StoreConfig::default(), config).await;
        let expected = expected(&server).await;
        assert!(expected.len() > 8 << 20);
        let mut client = slow(&server).await;
        happens(&store, &log);
        read_on(&mut client, expected.len()).await;
        assert!(client.1 == expected, "while {what}");
        drop(client);
        if cfg!(target_os = "linux") {
            assert!(sent_from_files(&server).await > 8 << 20);
        }
        server.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_not_in_memory_is_read_and_sent() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = serve(&store).await;
    fill(&server, 0, [1_000_000; 3]).await;
    let expected = expected(&server).await;
    server.shutdown().await;
    store.close().unwrap();
    #[cfg(target_os = "linux")]
    {
        let log = std::fs::File::open(dir.path().join("t-0/00000000000000000000.log")).unwrap();
        rustix::fs::fadvise(&log, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    let server = serve(&store).await;
    let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    ask(&mut stream).await;
    assert!(read(&mut stream, expected.len()).await == expected);
    drop(stream);
    assert_eq!(sent_from_files(&server).await > 0, cfg!(target_os = "linux"));
    server.shutdown().await;
}

#[tokio::test]
async fn who_goes_away_in_the_midst_of_a_response_is_let_go() {
    let (_store, server, _log) = large(StoreConfig::default(), TopicConfig::new()).await;
    drop(slow(&server).await);
    until(&server, "esker_connections", 0.0).await;
    let connection = Connection::connect(server.local_addr().unwrap()).await.unwrap();
    let data = fetched(connection.send(&request(&[0], 1), 12).await.unwrap());
    assert_eq!(data.records.unwrap().len(), record(b"k", 1_000_000).len());
    server.shutdown().await;
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_the_slow() {
    let (_store, server, _log) = large(StoreConfig::default(), TopicConfig::new()).await;
    let expected = expected(&server).await;
    let (mut stream, mut received) = slow(&server).await;
    server.shutdown().await;
    // What was under way arrives.
    let _ = stream.read_to_end(&mut received).await;
    assert!(received.len() < expected.len() && expected.starts_with(&received));
}

#[tokio::test]
async fn so_many_files_are_kept_open_for_the_slow_and_no_more() {
    let (_store, server, _log) =
        large(StoreConfig { open_files_max: 4, ..Default::default() }, TopicConfig::new()).await;
    let expected = expected(&server).await;
    // The first has the one that may be kept. The others do without.
    let mut clients = [slow(&server).await, slow(&server).await, slow(&server).await];
    for client in clients.iter_mut().rev() {
        read_on(client, expected.len()).await;
        assert!(client.1 == expected);
    }
    drop(clients);
    if cfg!(target_os = "linux") {
        let records = expected.len() / 1_000_000 * 1_000_000;
        let sent = sent_from_files(&server).await;
        assert!((records..=expected.len()).contains(&sent), "{sent}");
    }
    server.shutdown().await;
}
