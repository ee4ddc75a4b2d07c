//! Clients that mean harm, or are broken, at a server where a good client works on: each record of it is checked.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use esker::io::MemoryStorage;
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use esker::net::messages::metadata::MetadataRequestTopic;
use esker::net::messages::produce::{PartitionProduceData, TopicProduceData};
use esker::net::messages::{
    ApiVersionsRequest, Body, FetchRequest, FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest,
    MetadataResponse, ProduceRequest, Request, request_frame,
};
use esker::net::{Connection, ErrorCode, RequestHeader};
use esker::record::BatchRef;
use esker::server::{Server, ServerConfig};
use esker::{Acks, Store, TopicConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use super::random::Random;
use super::within::within;
use super::{batch, fetch_request, fetched, patient, produce, produce_request, values};

const PIPE_BYTES: usize = 64 * 1024;

async fn serve(config: ServerConfig) -> Server {
    serve_store(config).1
}

fn serve_store(config: ServerConfig) -> (Store, Server) {
    let store = Store::options().storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    (store.clone(), Server::builder(store).config(config).in_memory().unwrap())
}

/// A stranger's end of a connection.
fn stranger(server: &Server) -> DuplexStream {
    let (here, there) = duplex(PIPE_BYTES);
    server.serve(there);
    here
}

/// Writes records one by one and reads each back.
struct Good {
    connection: Connection,
    next: i64,
}

impl Good {
    fn new(server: &Server) -> Self {
        Self { connection: server.connect(), next: 0 }
    }

    async fn works_on(&mut self, beside: &str) {
        let (offset, value) = (self.next, format!("record {}", self.next));
        let appended = produce(&self.connection, -1, 1, batch(&[&value])).await.unwrap();
        assert_eq!((appended.error_code, appended.base_offset), (ErrorCode::NONE, offset), "beside {beside}");
        let data = fetched(self.connection.send(&fetch_request(1, offset), 12).await.unwrap());
        assert_eq!(values(&data), [(offset, value)], "beside {beside}");
        self.next += 1;
    }

    /// All records are as they were written.
    async fn finds_all(&self) {
        let data = fetched(self.connection.send(&fetch_request(1, 0), 12).await.unwrap());
        let expected: Vec<_> = (0..self.next).map(|offset| (offset, format!("record {offset}"))).collect();
        assert_eq!(values(&data), expected);
    }
}

pub(super) fn frame<R: Request>(request: &R, api_version: i16, correlation_id: i32) -> Vec<u8> {
    let header = RequestHeader { api_key: R::API_KEY, api_version, correlation_id, client_id: Some("c".into()) };
    request_frame(&header, request).unwrap().to_bytes().to_vec()
}

/// Requests that a client begins with, each as version and frame. None of them touches partition 1.
fn sound_frames() -> Vec<Vec<u8>> {
    let at = ListOffsetsPartition { partition_index: 0, timestamp: -1, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![at] }];
    vec![
        frame(&ApiVersionsRequest::default(), 3, 1),
        frame(&MetadataRequest::default(), 12, 2),
        frame(&produce_request(1, 0, batch(&["a", "b"])), 9, 3),
        frame(&produce_request(-1, 0, batch(&["a"])), 3, 4),
        frame(&fetch_request(0, 0), 12, 5),
        frame(&fetch_request(0, 0), 4, 6),
        frame(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, 6, 7),
        frame(&FindCoordinatorRequest { key: "group".into(), ..Default::default() }, 3, 8),
    ]
}

/// The correlation ids of the responses in `bytes`, all of which are whole.
fn correlation_ids(mut bytes: &[u8]) -> Vec<i32> {
    let mut ids = Vec::new();
    while let Some((size, rest)) = bytes.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*size) as usize);
        ids.push(i32::from_be_bytes(*frame.first_chunk().unwrap()));
        bytes = rest;
    }
    ids
}

/// Sends bytes, reads until the server closes, and returns the numbers of the responses.
async fn exchange(server: &Server, bytes: &[u8]) -> Vec<i32> {
    let mut stream = stranger(server);
    // It may be closed while this is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers).await;
    correlation_ids(&answers)
}

#[tokio::test]
async fn requests_that_end_too_early_are_not_answered() {
    let server = serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    for sound in sound_frames() {
        let body = &sound[4..];
        for cut in (0..body.len()).step_by(3) {
            // A frame that is sound, of a request that isn't.
            let size = u32::try_from(cut).unwrap().to_be_bytes();
            assert_eq!(exchange(&server, &[&size, &body[..cut]].concat()).await, [], "{cut} bytes of {body:?}");
            // And a frame that isn't whole.
            assert_eq!(exchange(&server, &sound[..cut + 4]).await, []);
        }
        good.works_on("requests that end too early").await;
    }
    good.finds_all().await;
}

#[tokio::test]
async fn clients_that_fall_silent_in_a_frame_hold_up_nobody() {
    let server = serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    let mut silent = Vec::new();
    for sound in sound_frames() {
        for cut in (0..sound.len()).step_by(5) {
            let mut stream = stranger(&server);
            stream.write_all(&sound[..cut]).await.unwrap();
            silent.push(stream);
        }
        good.works_on("silent clients").await;
    }
    drop(silent);
    good.finds_all().await;
}

#[tokio::test]
async fn changed_bytes_do_no_harm_to_others() {
    let server = serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    let sound = sound_frames();
    let mut random = Random::new(7);
    for _ in 0..300 {
        let mut sent: Vec<u8> = (0..=random.below(3)).flat_map(|_| random.pick(&sound).clone()).collect();
        for _ in 0..=random.below(4) {
            let at = random.below(sent.len() as u64) as usize;
            sent[at] ^= 1 << random.below(8);
        }
        let mut stream = stranger(&server);
        let _ = stream.write_all(&sent).await;
        if random.one_in(2) {
            let mut some = [0; 100];
            let _ = stream.shutdown().await;
            let _ = stream.read(&mut some).await;
        }
        drop(stream);
        good.works_on(&format!("{sent:?}")).await;
    }
    good.finds_all().await;
}

#[tokio::test]
async fn sizes_out_of_range_cost_nothing() {
    let server = serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    let versions = frame(&ApiVersionsRequest::default(), 3, 1);
    for size in [i32::MAX, i32::MIN, -1, 0x7fff_0000, 104_857_601] {
        let mut stream = stranger(&server);
        stream.write_all(&[&versions[..], &size.to_be_bytes(), b"and more"].concat()).await.unwrap();
        // What was sound before it may be answered; then it is the server that ends it.
        let mut answers = Vec::new();
        let _ = stream.read_to_end(&mut answers).await;
        assert!([&[][..], &[1]].contains(&&correlation_ids(&answers)[..]), "{size}");
        good.works_on("sizes out of range").await;
    }
    good.finds_all().await;
}

#[tokio::test]
async fn what_ends_a_connection_does_so_after_the_responses_before_it() {
    let server = serve(ServerConfig::default()).await;
    produce(&server.connect(), 1, 0, batch(&["opens files"])).await.unwrap();
    let mut damaged = batch(&["damaged"]).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    for _ in 0..50 {
        let mut stream = stranger(&server);
        let sent = [
            frame(&produce_request(1, 0, batch(&["a"])), 9, 1),
            frame(&produce_request(-1, 0, batch(&["b"])), 9, 2),
            frame(&produce_request(0, 0, damaged.clone().into()), 9, 3),
            frame(&ApiVersionsRequest::default(), 3, 4),
        ];
        stream.write_all(&sent.concat()).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        let mut correlation_ids = Vec::new();
        while let Some((size, rest)) = received.split_first_chunk::<4>() {
            let (response, rest) = rest.split_at(u32::from_be_bytes(*size) as usize);
            correlation_ids.push(i32::from_be_bytes(*response.first_chunk().unwrap()));
            received = rest.to_vec();
        }
        assert_eq!(correlation_ids, [1, 2]);
    }
}

/// A fetch that waits is first, and what is ready long before it leaves after it.
#[tokio::test]
async fn responses_keep_the_order_of_their_requests() {
    let server = serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    let mut stream = stranger(&server);
    let waiting = patient(fetch_request(0, 0));
    let sent = [
        frame(&waiting, 12, 9),
        frame(&produce_request(0, 1, batch(&["record 0"])), 9, 100),
        frame(&MetadataRequest::default(), 12, 5),
        frame(&ApiVersionsRequest::default(), 3, 5),
        frame(&fetch_request(1, 0), 12, -3),
        frame(&ApiVersionsRequest::default(), 0, 1),
    ];
    // None asked for ApiVersions first, and two have one number.
    stream.write_all(&sent.concat()).await.unwrap();
    // The others have been carried out, though not answered.
    let find = async || fetched(good.connection.send(&fetch_request(1, 0), 12).await.unwrap()).records.unwrap();
    within(async { while find().await.is_empty() {} }).await;
    good.next = 1;
    good.works_on("a connection with a fetch that waits").await;
    assert!(now(stream.read(&mut [0])).await.is_none());
    produce(&good.connection, 1, 0, batch(&["a"])).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.unwrap();
    assert_eq!(correlation_ids(&answers), [9, 5, 5, -3, 1]);
}

/// What `future` comes to if it needn't wait.
async fn now<F: Future>(future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

/// A client that has gone isn't waited for, however long it said that it would wait.
#[tokio::test]
async fn who_hangs_up_is_answered_as_things_are() {
    let server = serve(ServerConfig::default()).await;
    let waiting = patient(fetch_request(0, 0));
    assert_eq!(exchange(&server, &frame(&waiting, 12, 1)).await, [1]);
}

/// A few announce requests that take all the memory there is for requests, and say no more.
#[tokio::test(start_paused = true)]
async fn memory_that_is_claimed_and_not_used_goes_to_others() {
    let config = ServerConfig { queued_max_request_bytes: 1000, ..ServerConfig::default() };
    let server = serve(config).await;
    let mut claiming = Vec::new();
    for begun in [&b"\0\0\x03\xe8"[..], b"\0\0\x03\xe8\0\x12", b"\x05\0\0\0\0\0\0\0\0"] {
        let mut stream = stranger(&server);
        stream.write_all(begun).await.unwrap();
        claiming.push(stream);
    }
    let mut good = Good::new(&server);
    let began = Instant::now();
    for _ in 0..10 {
        good.works_on("claims of memory").await;
    }
    assert!(began.elapsed() < Duration::from_secs(60), "long before a client counts as idle");
    for mut stream in claiming {
        assert_eq!(stream.read(&mut [0]).await.map_err(|error| error.kind()), Ok(0));
    }
    // Nobody else wants it: then it may take its time.
    let mut slow = stranger(&server);
    for byte in frame(&ApiVersionsRequest::default(), 3, 4) {
        slow.write_all(&[byte]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    slow.shutdown().await.unwrap();
    let mut answers = Vec::new();
    slow.read_to_end(&mut answers).await.unwrap();
    assert_eq!(correlation_ids(&answers), [4]);
}

/// A request that lacks its last byte has all the memory there is for requests: another waits until that byte has come.
#[tokio::test(start_paused = true)]
async fn requests_share_the_memory_that_there_is_for_them() {
    let config = ServerConfig { queued_max_request_bytes: 1000, ..ServerConfig::default() };
    let server = serve(config).await;
    // Larger than there is room for: it has all of it.
    let large = |number| frame(&produce_request(1, 0, batch(&[&"x".repeat(2000)])), 9, number);
    let (mut first, mut second) = (stranger(&server), stranger(&server));
    let sent = large(1);
    let (last, begun) = sent.split_last().unwrap();
    first.write_all(begun).await.unwrap();
    // With a clock that stands still, time passes only once nobody has anything left to do.
    tokio::time::sleep(Duration::from_millis(10)).await;
    second.write_all(&large(2)).await.unwrap();
    assert!(timeout(Duration::from_secs(1), second.read(&mut [0])).await.is_err(), "there is no room for it");
    first.write_all(&[*last]).await.unwrap();
    for (stream, number) in [(&mut first, 1), (&mut second, 2)] {
        stream.shutdown().await.unwrap();
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).await.unwrap();
        assert_eq!(correlation_ids(&answers), [number]);
    }
}

/// Whoever waits for memory has its turn before those who come later, whatever else happens to it meanwhile.
#[tokio::test(start_paused = true)]
async fn those_who_wait_for_memory_take_turns() {
    let config = ServerConfig { queued_max_request_bytes: 1000, ..ServerConfig::default() };
    let server = serve(config).await;
    let mut first = stranger(&server);
    let waiting = FetchRequest { max_wait_ms: 100, min_bytes: 1, ..fetch_request(0, 0) };
    first.write_all(&frame(&waiting, 12, 1)).await.unwrap();
    let mut claiming = stranger(&server);
    claiming.write_all(b"\0\0\x03\0\0\x12").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let large = |number| {
        let coordinator_keys = vec!["x".repeat(2000)];
        frame(&FindCoordinatorRequest { coordinator_keys, ..Default::default() }, 4, number)
    };
    first.write_all(&large(2)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut second = stranger(&server);
    second.write_all(&large(3)).await.unwrap();
    // The first one's fetch is answered, then the memory becomes free.
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(claiming);
    let (answered, mut order) = tokio::sync::mpsc::unbounded_channel();
    for mut stream in [first, second] {
        let answered = answered.clone();
        tokio::spawn(async move {
            while let Ok(size) = stream.read_i32().await {
                let mut response = vec![0; size as usize];
                stream.read_exact(&mut response).await.unwrap();
                let _ = answered.send(i32::from_be_bytes(*response.first_chunk().unwrap()));
            }
        });
    }
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.extend(order.recv().await);
    }
    assert_eq!(numbers, [1, 2, 3]);
}

/// All the memory, and more of it to come, for requests of which there is but the size.
#[tokio::test(start_paused = true)]
async fn large_requests_that_are_announced_hold_up_no_small_ones() {
    let server = serve(ServerConfig::default()).await;
    let mut claiming = Vec::new();
    for _ in 0..50 {
        let mut stranger = stranger(&server);
        stranger.write_all(&(100_i32 << 20).to_be_bytes()).await.unwrap();
        stranger.write_all(&[0]).await.unwrap();
        claiming.push(stranger);
    }
    let began = Instant::now();
    let mut good = Good::new(&server);
    for _ in 0..3 {
        good.works_on("large requests that don't come").await;
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "it waited for nobody");
}

/// The same with bytes behind it that mean nothing, as newer clients may have them.
fn padded(mut frame: Vec<u8>, bytes: usize) -> Vec<u8> {
    frame.resize(frame.len() + bytes, 0);
    let size = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

/// Requests that wait, and would take all the memory for as long.
#[tokio::test(start_paused = true)]
async fn who_waits_keeps_no_memory_from_others() {
    let config = ServerConfig { queued_max_request_bytes: 100_000, ..ServerConfig::default() };
    let server = serve(config).await;
    let mut good = Good::new(&server);
    let began = Instant::now();
    let waiting = patient(fetch_request(0, 0));
    let mut padding = stranger(&server);
    padding.write_all(&padded(frame(&waiting, 12, 1), 90_000)).await.unwrap();
    good.works_on("a frame that means little").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    let mut large = waiting.clone();
    large.topics.resize_with(2000, FetchTopic::default);
    let mut stranger = stranger(&server);
    stranger.write_all(&frame(&large, 12, 1)).await.unwrap();
    good.works_on("a request that takes all memory").await;
    assert!(began.elapsed() < Duration::from_secs(60), "it is cut off when others need that");
    assert_eq!(stranger.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(now(padding.read(&mut [0])).await.is_none(), "who takes little may wait");
}

/// A request that is being begun has all the memory, while the client takes no response to the one before it.
#[test]
fn who_takes_no_response_keeps_no_memory_for_the_next_request() {
    // One thread that may block, which is busy when the request is to be decoded there.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let config = ServerConfig { queued_max_request_bytes: 150_000, ..ServerConfig::default() };
        let (store, server) = serve_store(config);
        let mut good = Good::new(&server);
        let (mut deaf, there) = duplex(16);
        server.serve(there);
        deaf.write_all(&frame(&patient(fetch_request(0, 0)), 12, 1)).await.unwrap();
        let large = FindCoordinatorRequest { coordinator_keys: vec!["x".repeat(32_000); 5], ..Default::default() };
        let large = frame(&large, 4, 2);
        let (last, begun) = large.split_last().unwrap();
        deaf.write_all(begun).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;

        let (release, held) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || held.recv());
        deaf.write_all(&[*last]).await.unwrap();
        // Others have their turn until nobody has anything left to do.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let log = store.partition("t", 0).unwrap();
        log.append(BatchRef::parse(&batch(&["a"])).unwrap(), Acks::Leader).unwrap();
        // The first bytes of the response are there, the others are not taken.
        deaf.read_u8().await.unwrap();
        drop(release);
        assert!(busy.await.unwrap().is_err());
        let began = Instant::now();
        good.works_on("a request whose turn does not come").await;
        assert!(began.elapsed() < Duration::from_secs(60), "long before a client counts as idle");
    });
}

/// Requests that are small on the wire, and take twenty times as much memory.
#[tokio::test]
async fn what_requests_are_decoded_to_takes_memory_too() {
    let config = ServerConfig { queued_max_request_bytes: 100_000, ..ServerConfig::default() };
    let server = serve(config).await;
    let names = |count| {
        frame(&FindCoordinatorRequest { coordinator_keys: vec![String::new(); count], ..Default::default() }, 4, 7)
    };
    // More than all there is, but nobody else needs any.
    assert_eq!(exchange(&server, &names(20_000)).await, [7]);
    let mut claiming = stranger(&server);
    claiming.write_all(&frame(&ApiVersionsRequest::default(), 3, 1)[..15]).await.unwrap();
    let mut good = Good::new(&server);
    good.works_on("a request that isn't whole").await;
    assert_eq!(exchange(&server, &names(1_000)).await, [7], "there is enough for it");
    assert_eq!(exchange(&server, &names(20_000)).await, []);
    good.works_on("a request that takes too much memory").await;
}

/// A short request could name something long as often as it has bytes.
#[tokio::test]
async fn strings_are_no_longer_than_in_kafka() {
    let server = serve(ServerConfig::default()).await;
    for (bytes, answered) in [(32_767, &[7][..]), (32_768, &[])] {
        let request = FindCoordinatorRequest { coordinator_keys: vec!["x".repeat(bytes)], ..Default::default() };
        assert_eq!(exchange(&server, &frame(&request, 4, 7)).await, answered, "{bytes}");
    }
}

/// A client's id may be anything, and a topic of such a name can't be.
#[tokio::test]
async fn who_writes_latin_1_is_answered() {
    let server = serve(ServerConfig::default()).await;
    let topic = MetadataRequestTopic { name: Some("Bxro".into()), ..Default::default() };
    let mut sent = frame(&MetadataRequest { topics: Some(vec![topic]), ..Default::default() }, 8, 7);
    for (at, byte) in sent.iter_mut().enumerate().filter(|(_, byte)| b"cx".contains(byte)) {
        *byte = 0xfc;
        assert!(at >= 14, "the client's id, and the topic");
    }
    let mut stream = stranger(&server);
    stream.write_all(&sent).await.unwrap();
    let mut answer = vec![0; stream.read_u32().await.unwrap() as usize];
    stream.read_exact(&mut answer).await.unwrap();
    let response = MetadataResponse::from_bytes(Bytes::from(answer).slice(4..), 8).unwrap();
    let told = (response.topics[0].error_code, response.topics[0].name.as_deref());
    assert_eq!(told, (ErrorCode::INVALID_TOPIC_EXCEPTION, Some("B\u{fffd}ro")));
}

/// Many clients that send and never read: each is read from until its responses pile up, and no further.
#[tokio::test]
async fn the_deaf_are_not_listened_to() {
    let server = serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    let requests = frame(&MetadataRequest::default(), 12, 1).repeat(100);
    let mut deaf: Vec<_> = (0..50).map(|_| stranger(&server)).collect();
    let mut taken = vec![0; deaf.len()];
    // As long as somebody takes something.
    within(async {
        let mut stuck_for = 0;
        while stuck_for < 20 {
            stuck_for += 1;
            for (stream, taken) in deaf.iter_mut().zip(&mut taken) {
                if let Some(written) = now(stream.write(&requests)).await {
                    *taken += written.unwrap();
                    stuck_for = 0;
                }
            }
            good.works_on("clients that read nothing").await;
        }
    })
    .await;
    // The pipe's two directions, the requests that may wait for responses, and what may be read ahead.
    let most = 4 * PIPE_BYTES + 64 * requests.len();
    assert!(taken.iter().all(|taken| *taken < most), "{taken:?}");
    drop(deaf);
    good.finds_all().await;
}

/// Who sends on gets no more of the server's memory by it.
#[cfg(feature = "prometheus")]
#[tokio::test]
async fn so_many_requests_of_a_connection_wait_and_no_more() {
    use super::metrics::in_flight;
    let server = super::metrics::serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    let mut stream = stranger(&server);
    let waiting = patient(fetch_request(0, 0));
    let polls: Vec<_> = (0..65).flat_map(|id| frame(&waiting, 12, id)).collect();
    stream.write_all(&polls).await.unwrap();
    within(async { while in_flight(&server).await < 64.0 {} }).await;
    good.works_on("a connection with many requests that wait").await;
    assert_eq!(in_flight_at_last(&server).await, 64.0);
    produce(&good.connection, 1, 0, batch(&["a"])).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answers = Vec::new();
    within(stream.read_to_end(&mut answers)).await.unwrap();
    assert_eq!(correlation_ids(&answers), (0..65).collect::<Vec<_>>());
}

#[cfg(feature = "prometheus")]
#[tokio::test]
async fn nothing_is_begun_behind_a_mebibyte_that_waits_to_be_taken() {
    use super::metrics::{scrape, value};
    let server = super::metrics::serve(ServerConfig::default()).await;
    let mut good = Good::new(&server);
    let mut stream = stranger(&server);
    let large = "x".repeat(600_000);
    for _ in 0..2 {
        produce(&good.connection, 1, 0, batch(&[&large])).await.unwrap();
    }
    let waiting = patient(fetch_request(0, 2));
    let mut both = fetch_request(0, 0);
    both.topics[0].partitions[0].partition_max_bytes = 2 << 20;
    stream.write_all(&[frame(&waiting, 12, 1), frame(&both, 12, 2)].concat()).await.unwrap();
    // Until its answer is ready, and stands behind one that is not.
    let bytes_out = async || value(&scrape(&server).await, "esker_topic_bytes_out_total", &[("topic", "t")]);
    within(async { while bytes_out().await < 1_200_000.0 {} }).await;
    stream.write_all(&[frame(&waiting, 12, 3), frame(&waiting, 12, 4)].concat()).await.unwrap();
    good.works_on("a connection with much to take").await;
    // One more may have been waited for when there was not so much yet.
    assert!(in_flight_at_last(&server).await <= 3.0);
    produce(&good.connection, 1, 0, batch(&["a"])).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answers = Vec::new();
    within(stream.read_to_end(&mut answers)).await.unwrap();
    assert_eq!(correlation_ids(&answers), [1, 2, 3, 4]);
}

/// The same after everybody in this thread has had many turns: to begin what may be begun, and to count what was
/// answered.
#[cfg(feature = "prometheus")]
async fn in_flight_at_last(server: &Server) -> f64 {
    use super::metrics::in_flight;
    for _ in 0..20 {
        in_flight(server).await;
    }
    in_flight(server).await
}

#[tokio::test]
async fn a_request_may_name_so_many_partitions_and_no_more() {
    let server = serve(ServerConfig { request_partitions_max: 3, ..ServerConfig::default() }).await;
    let mut good = Good::new(&server);
    let connection = server.connect();
    for count in [3, 4] {
        let refused = count > 3;
        let expected = if refused { ErrorCode::INVALID_REQUEST } else { ErrorCode::NONE };
        let data = |index| PartitionProduceData { index, records: Some(batch(&["a"])) };
        // Of two topics, both of which count.
        let topic = |count| TopicProduceData {
            name: "t".into(),
            partition_data: std::iter::repeat_n(data(0), count).collect(),
            ..Default::default()
        };
        let topic_data = vec![topic(1), topic(count - 1)];
        let request = ProduceRequest { acks: 1, timeout_ms: 1000, topic_data, ..Default::default() };
        let response = connection.send(&request, 9).await.unwrap();
        let partitions: Vec<_> = response.responses.iter().flat_map(|topic| &topic.partition_responses).collect();
        assert_eq!(partitions.len(), count);
        assert!(partitions.iter().all(|partition| partition.error_code == expected), "{partitions:?}");

        let wanted = FetchPartition { partition: 0, partition_max_bytes: 100, ..Default::default() };
        let partitions = (0..count as i32).map(|partition| FetchPartition { partition, ..wanted.clone() });
        let topics = vec![FetchTopic { topic: "t".into(), partitions: partitions.collect(), ..Default::default() }];
        let request = FetchRequest { topics, ..Default::default() };
        let response = connection.send(&request, 12).await.unwrap();
        assert_eq!((response.error_code, response.responses.is_empty()), (expected, refused));
        // Older ones have no error of the whole.
        let response = connection.send(&request, 4).await.unwrap();
        let codes: Vec<_> = response.responses[0].partitions.iter().map(|partition| partition.error_code).collect();
        assert_eq!(codes.len(), count);
        assert_eq!(codes.iter().all(|code| *code == ErrorCode::INVALID_REQUEST), refused, "{codes:?}");
    }
    good.works_on("requests that name too much").await;
    let data = fetched(connection.send(&fetch_request(0, 0), 12).await.unwrap());
    assert_eq!(values(&data).len(), 3, "nothing is appended of what is refused");
}

#[tokio::test]
async fn a_stream_of_the_callers_is_served_and_ends_with_the_server() {
    let server = serve(ServerConfig::default()).await;
    let mut stream = stranger(&server);
    let request = frame(&ApiVersionsRequest::default(), 3, 8);
    stream.write_all(&request).await.unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).await.unwrap();
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer.first_chunk(), Some(&[0, 0, 0, 8]));
    server.shutdown().await;
    assert_eq!(stream.read(&mut size).await.unwrap(), 0);
    assert_eq!(stream.write_all(&request).await.map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
}
