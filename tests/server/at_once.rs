//! What takes but a moment is done on the thread that has read the request: it goes on while all threads for what may
//! block are held up, and what may block waits for one of them.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use esker::net::ErrorCode;
use esker::net::messages::FetchRequest;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;

/// Runs it on a runtime that has one thread for what may block.
fn run(test: impl Future<Output = ()>) {
    Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap().block_on(test);
}

/// Holds up that thread. No time passes meanwhile, so that every moment is short.
struct HeldUp {
    sender: Sender<()>,
    task: JoinHandle<Result<(), RecvTimeoutError>>,
}

impl HeldUp {
    fn new() -> Self {
        let (sender, receiver) = channel();
        // Who waits for the thread must not wait for ever.
        let task = spawn_blocking(move || receiver.recv_timeout(Duration::from_secs(60)));
        tokio::time::pause();
        Self { sender, task }
    }

    async fn let_go(self) {
        tokio::time::resume();
        drop(self.sender);
        assert_eq!(self.task.await.unwrap(), Err(RecvTimeoutError::Disconnected), "somebody waited for the thread");
    }
}

/// Produces while others go on.
fn begin(server: &Server, acks: i16, partition: i32, records: Bytes) -> JoinHandle<i64> {
    let connection = server.connect();
    tokio::spawn(async move { produce(&connection, acks, partition, records).await.unwrap().base_offset })
}

#[test]
fn small_appends_and_fetches_of_what_is_new_wait_for_no_thread() {
    run(async {
        let (_store, server) = serve().await;
        for connection in connections(&server).await {
            // Opens the log's files.
            let mut end = produce(&connection, 1, 0, batch(&["first"])).await.unwrap().base_offset + 1;
            let held_up = HeldUp::new();
            for value in ["a", "b", "c"] {
                let waiting = FetchRequest { max_wait_ms: 60_000, min_bytes: 1, ..fetch_request(0, end) };
                let fetched_at_end = connection.send(&waiting, 12);
                let producing = server.connect();
                let (response, produced) = tokio::join!(fetched_at_end, produce(&producing, 1, 0, batch(&[value])));
                assert_eq!(values(&fetched(response.unwrap())), [(end, value.to_owned())]);
                assert_eq!(produced.unwrap().base_offset, end);
                end += 1;
            }
            held_up.let_go().await;
        }
        server.shutdown().await;
    });
}

#[test]
fn what_may_take_longer_waits_for_a_thread() {
    run(async {
        let (store, server) = serve().await;
        let connection = server.connect();
        produce(&connection, 1, 0, batch(&["first"])).await.unwrap();
        let held_up = HeldUp::new();
        let large = begin(&server, 1, 0, batch(&[&"x".repeat(200_000)]));
        let synced = begin(&server, -1, 0, batch(&["to be synced"]));
        let first_of_its_log = begin(&server, 1, 1, batch(&["opens files"]));
        // So few that no file grows by them.
        for _ in 0..10 {
            produce(&connection, 1, 0, batch(&["small"])).await.unwrap();
        }
        assert!(![&large, &synced, &first_of_its_log].iter().any(|task| task.is_finished()));
        held_up.let_go().await;
        assert_eq!(first_of_its_log.await.unwrap(), 0);
        synced.await.unwrap();
        assert_eq!(large.await.unwrap(), 12, "those that were small did not wait for it");
        assert_eq!(store.partition("t", 0).unwrap().log_end(), 13);
        server.shutdown().await;
    });
}

/// The batch is appended on another thread, which syncs it too once it has handed over what is to be answered.
#[cfg(feature = "sim")]
#[test]
fn a_large_batch_is_answered_no_sooner_than_it_is_on_the_device() {
    use std::sync::Arc;

    use esker::sim::{Fault, FaultStorage, Operation};
    let disk = FaultStorage::new(1);
    let options = Store::options().storage(Arc::new(disk.clone())).maintenance(esker::Maintenance::Manual);
    let store = options.open("/data").unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    run(async {
        let server = Server::builder(store.clone()).in_memory().unwrap();
        let (syncs, mut is_syncing) = tokio::sync::mpsc::unbounded_channel();
        let (let_go, held_up) = channel::<()>();
        let held_up = std::sync::Mutex::new(held_up);
        disk.inject(Fault::io_error().on(Operation::Sync).on_paths(move |path| {
            if path.ends_with("t-0/00000000000000000000.log") {
                let _ = syncs.send(());
                // Who waits for the device must not wait for ever. It is no fault, only slow.
                let _ = held_up.lock().unwrap().recv_timeout(Duration::from_secs(60));
            }
            false
        }));
        let large = begin(&server, -1, 0, batch(&[&"x".repeat(200_000)]));
        is_syncing.recv().await.unwrap();
        let other = server.connect();
        for _ in 0..10 {
            other.send(&api_versions(), 4).await.unwrap();
        }
        assert!(!large.is_finished());
        drop(let_go);
        assert_eq!(large.await.unwrap(), 0);
        server.shutdown().await;
    });
    store.close().unwrap();
}

/// Requests of many clients that wait for the device wait for it together.
#[cfg(feature = "prometheus")]
#[test]
fn many_requests_share_a_sync() {
    use super::metrics::{scrape_when_quiet, value};
    const CLIENTS: i64 = 50;
    run(async {
        let store = Store::temporary().unwrap();
        store.create_topic("t", TopicConfig::new()).unwrap();
        let server = Server::builder(store.clone()).metrics_listener("0").in_memory().unwrap();
        let syncs = async || value(&scrape_when_quiet(&server).await, "esker_log_flush_duration_seconds_count", &[]);
        produce(&server.connect(), -1, 0, batch(&["opens files"])).await.unwrap();
        let before = syncs().await;
        let held_up = HeldUp::new();
        let clients: Vec<_> = (0..CLIENTS).map(|_| begin(&server, -1, 0, batch(&["a"]))).collect();
        while store.partition("t", 0).unwrap().log_end() < 1 + CLIENTS {
            tokio::task::yield_now().await;
        }
        held_up.let_go().await;
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(syncs().await - before, 1.0);
        server.shutdown().await;
    });
}

/// The client learns in time, and the record is there all the same.
#[test]
fn who_waits_for_a_sync_that_takes_too_long_is_told() {
    run(async {
        let (store, server) = serve().await;
        produce(&server.connect(), 1, 0, batch(&["first"])).await.unwrap();
        let held_up = HeldUp::new();
        let connection = server.connect();
        let request = ProduceRequest { timeout_ms: 5_000, ..produce_request(-1, 0, batch(&["slow"])) };
        let waiting = tokio::spawn(async move { produced(connection.send(&request, 9).await.unwrap()) });
        let patient = begin(&server, -1, 0, batch(&["patient"])); // for half a minute
        while store.partition("t", 0).unwrap().log_end() < 3 {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(Duration::from_millis(4_999)).await;
        assert!(!waiting.is_finished());
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!(waiting.await.unwrap().error_code, ErrorCode::REQUEST_TIMED_OUT);
        assert!(!patient.is_finished());
        held_up.let_go().await;
        assert!([1, 2].contains(&patient.await.unwrap()));
        server.shutdown().await;
    });
}

#[test]
fn what_was_not_appended_lately_is_read_on_such_a_thread() {
    run(async {
        let store = Store::temporary().unwrap();
        store.create_topic("t", TopicConfig::new().internal_segment_bytes(200)).unwrap();
        let server = Server::builder(store).in_memory().unwrap();
        let connection = server.connect();
        for value in ["of an earlier segment", "of an earlier segment", "recent"] {
            produce(&connection, 1, 0, batch(&[&value.repeat(5)])).await.unwrap();
        }
        let held_up = HeldUp::new();
        let fetch = |offset| {
            let connection = server.connect();
            tokio::spawn(async move { fetched(connection.send(&fetch_request(0, offset), 12).await.unwrap()) })
        };
        let old = fetch(0);
        assert_eq!(values(&fetch(2).await.unwrap()), [(2, "recent".repeat(5))]);
        assert!(!old.is_finished());
        held_up.let_go().await;
        assert_eq!(values(&old.await.unwrap())[0], (0, "of an earlier segment".repeat(5)));
        server.shutdown().await;
    });
}

/// Batches that have to be decompressed take turns. A client that doesn't read what it has asked for got its turn, and
/// could keep it, for its requests didn't get on while its responses were written: so many had none left for others.
#[cfg(feature = "gzip")]
#[test]
fn who_reads_nothing_holds_up_nobody_who_has_batches_to_decompress() {
    use esker::record::Compression;
    use tokio::io::AsyncWriteExt;

    use super::hostile::frame;
    use super::within::within;
    const TURNS: usize = 32;
    let compressed = || {
        let mut builder = BatchBuilder::new(1 << 20).compression(Compression::Gzip);
        builder.push(&RecordData::of(b"compressed")).unwrap();
        Bytes::copy_from_slice(builder.build().unwrap().bytes())
    };
    let all_get_on = async || {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    run(async {
        let (_store, server) = serve().await;
        let connection = server.connect();
        produce(&connection, 1, 0, batch(&["opens files"])).await.unwrap();
        let held_up = HeldUp::new();
        let first: Vec<_> = (0..TURNS).map(|_| begin(&server, 1, 1, compressed())).collect();
        all_get_on().await;
        let mut strangers = Vec::new();
        for _ in 0..TURNS {
            let (mut here, there) = tokio::io::duplex(64);
            server.serve(there);
            let waiting = FetchRequest { max_wait_ms: 60_000, min_bytes: 1, ..fetch_request(0, 1) };
            let frames = [frame(&waiting, 12, 1), frame(&produce_request(1, 1, compressed()), 9, 2)];
            here.write_all(&frames.concat()).await.unwrap();
            strangers.push(here);
        }
        all_get_on().await;
        produce(&connection, 1, 0, batch(&[&"more than they take".repeat(100)])).await.unwrap();
        all_get_on().await;
        held_up.let_go().await;
        for turn in first {
            turn.await.unwrap();
        }
        within(begin(&server, 1, 1, compressed())).await.unwrap();
        drop(strangers);
        server.shutdown().await;
    });
}
