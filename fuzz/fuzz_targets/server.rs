//! Any bytes as what clients do to a live server: see `esker_fuzz::session`.
//!
//! Nothing panics, what is answered can be read and is in the order of the requests, and the next client is served.
//! Time is that of the runtime, which passes at once.
#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use esker::io::MemoryStorage;
use esker::net::messages::{AnyRequest, AnyResponse, ApiVersionsRequest};
use esker::net::{ApiKey, ErrorCode, FrameBuffer, RequestHeader, ResponseHeader};
use esker::server::{Server, ServerConfig};
use esker::{Maintenance, ProducerIdAndEpoch, Store, StoreConfig, TopicConfig};
use esker_fuzz::session::{PRODUCER_ID, Step, TRANSACTIONAL_ID, exchange};
use libfuzzer_sys::fuzz_target;
use tokio::io::duplex;
use tokio::runtime::{Builder, Runtime};

const FRAME_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(4).build().expect("threads");
}

fuzz_target!(|data: &[u8]| RUNTIME.with(|runtime| runtime.block_on(run(data))));

async fn run(mut data: &[u8]) {
    let config = StoreConfig {
        offsets_topic_num_partitions: 1,
        transaction_state_log_num_partitions: 1,
        ..StoreConfig::default()
    };
    let options = Store::options().storage(Arc::new(MemoryStorage::new())).maintenance(Maintenance::Manual);
    let store = options.config(config).open("data").expect("nothing is there");
    let topic_id = store.create_topic("t", TopicConfig::new()).expect("nothing is there");
    let producer = store.init_transactional_id(TRANSACTIONAL_ID, Duration::from_secs(1)).expect("it is new");
    assert_eq!(producer, ProducerIdAndEpoch::new(PRODUCER_ID, 0));
    let config = ServerConfig {
        socket_request_max_bytes: FRAME_BYTES_MAX,
        queued_max_request_bytes: FRAME_BYTES_MAX,
        connections_max_idle_ms: 10_000,
        ..ServerConfig::default()
    };
    let server = Server::builder(store.clone()).config(config).in_memory().expect("valid");
    let mut sent = Vec::new();
    let mut correlation_id = 0;
    while let Some(step) = Step::take(&mut data) {
        if matches!(step, Step::Reconnect) {
            talk(&server, &std::mem::take(&mut sent)).await;
        }
        correlation_id += 1;
        sent.extend(step.to_bytes(correlation_id, topic_id));
    }
    talk(&server, &sent).await;
    let versions = server.connect().send(&ApiVersionsRequest::default(), 2).await.expect("the next client is served");
    assert_eq!(versions.error_code, ErrorCode::NONE);
    server.shutdown().await;
    store.close().expect("nothing is in its way");
}

/// Sends all of it over one connection, and reads until the server closes.
async fn talk(server: &Server, sent: &[u8]) {
    let (client, served) = duplex(1 << 16);
    server.serve(served);
    let answers = exchange(client, sent).await;
    let mut requests = requests(sent);
    let mut frames = FrameBuffer::new(usize::MAX);
    frames.extend(&answers);
    while let Some(frame) = frames.next_frame().expect("sizes are right") {
        answered(frame, &mut requests);
    }
}

/// A request that may be answered, and whether it may be left without.
type Awaited = (RequestHeader, bool);

/// The requests that the server finds in what was sent.
fn requests(sent: &[u8]) -> VecDeque<Awaited> {
    let mut frames = FrameBuffer::new(FRAME_BYTES_MAX);
    frames.extend(sent);
    let mut requests = VecDeque::new();
    while let Ok(Some(mut frame)) = frames.next_frame() {
        let Ok(header) = RequestHeader::decode(&mut frame) else { break };
        let request = AnyRequest::from_bytes(header.api_key, frame, header.api_version);
        let is_one_way = matches!(request, Ok(AnyRequest::Produce(produce)) if produce.acks == 0);
        requests.push_back((header, is_one_way));
    }
    requests
}

fn answered(mut frame: bytes::Bytes, requests: &mut VecDeque<Awaited>) {
    let id = frame.first_chunk().map(|id| i32::from_be_bytes(*id));
    let header = loop {
        let (header, is_one_way) = requests.pop_front().expect("a response is to a request");
        if Some(header.correlation_id) == id && !is_one_way {
            break header;
        }
        assert!(is_one_way, "responses are in order, and none is left out");
    };
    let (api, mut version) = (header.api_key, header.api_version);
    if api == ApiKey::ApiVersions && !(0..=4).contains(&version) {
        version = 0;
    }
    ResponseHeader::decode(&mut frame, api, version).expect("it can be read");
    AnyResponse::from_bytes(api, frame, version).expect("it can be read");
}
