//! What fetching costs a server: records that are sent from the log's files, and the same by a copy from memory, in
//! turns. The server is a process of its own; all that it reads is in the page cache.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::{FetchRequest, request_frame};
use esker::net::{ApiKey, RequestHeader};
use esker::record::{BatchBuilder, BatchRef, RecordData};
use esker::server::{Server, ServerConfig};
use esker::{Acks, Store, TopicConfig};
use tokio::net::TcpListener;

/// What the bench calls itself with to be the server.
pub const SERVER: &str = "fetch-server";

const BATCHES: i64 = 16 * 1024;
const BATCH_BYTES: usize = 16 * 1024;
/// How much each client fetches.
const BYTES: usize = 1 << 30;
const ROUNDS: usize = 5;

/// Serves until its standard input ends, and says where: over sockets that it knows, and over streams of a caller's.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::temporary().unwrap();
        store.create_topic("t", TopicConfig::new()).unwrap();
        let (log, batch) = (store.partition("t", 0).unwrap(), batch());
        for _ in 0..BATCHES {
            log.append(BatchRef::parse(&batch).unwrap(), Acks::Leader).unwrap();
        }
        let config = ServerConfig { sendfile_to_local_clients: true, ..Default::default() };
        let server = Server::builder(store).config(config).bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{} {}", server.local_addr().unwrap(), listener.local_addr().unwrap());
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let streams = async {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                server.serve(stream);
            }
        };
        tokio::select! {
            ended = ended => drop(ended.unwrap()),
            () = streams => {}
        }
        server.shutdown().await;
    });
}

/// One of one record, of as many bytes as all.
fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(2 * BATCH_BYTES);
    let value = vec![b'v'; BATCH_BYTES - 80];
    builder.push(&RecordData::of(&value).at(1)).unwrap();
    Bytes::copy_from_slice(builder.build().unwrap().bytes())
}

pub fn run() {
    let mut server = Command::new(std::env::current_exe().unwrap());
    let mut server = server.arg(SERVER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses: Vec<SocketAddr> = line.split_whitespace().map(|address| address.parse().unwrap()).collect();
    println!("{:<20} {:>24} {:>24} {:>16}", "bytes of a response", "from files", "by a copy", "CPU, the ratio");
    for bytes in [16, 32, 64, 128, 256, 1024, 8192].map(|kib| kib << 10) {
        let mut taken = [(); 2].map(|()| Vec::new());
        for round in 0..ROUNDS {
            for way in [round % 2, 1 - round % 2] {
                taken[way].push(fetch(addresses[way], bytes, &server));
            }
        }
        let [files, copy] = taken.map(|mut rounds| {
            rounds.sort_unstable();
            rounds[ROUNDS / 2]
        });
        let show = |(cpu, wall): (Duration, Duration)| {
            let gib = BYTES as f64 / (1 << 30) as f64;
            format!("{:.0} ms/GiB {:.2} GiB/s", cpu.as_millis() as f64 / gib, gib / wall.as_secs_f64())
        };
        let ratio = files.0.as_secs_f64() / copy.0.as_secs_f64();
        println!("{:<20} {:>24} {:>24} {ratio:>16.2}", format!("{} KiB", bytes >> 10), show(files), show(copy));
    }
    server.stdin.take().unwrap().flush().unwrap();
    server.wait().unwrap();
}

/// Fetches so many bytes at a time, from the beginning on and again, and returns the CPU and the time that it took.
fn fetch(address: SocketAddr, bytes: usize, server: &Child) -> (Duration, Duration) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let size = batch().len();
    let mut buffer = vec![0; bytes + 4096];
    let (mut offset, mut fetched) = (0, 0);
    let (cpu, began) = (cpu(server), Instant::now());
    while fetched < BYTES {
        stream.write_all(&request(offset, bytes.max(size))).unwrap();
        let mut frame_size = [0; 4];
        stream.read_exact(&mut frame_size).unwrap();
        let frame_size = u32::from_be_bytes(frame_size) as usize;
        stream.read_exact(&mut buffer[..frame_size]).unwrap();
        let batches = frame_size / size;
        assert!(batches > 0);
        fetched += batches * size;
        offset += batches as i64;
        offset = if offset == BATCHES { 0 } else { offset };
    }
    (self::cpu(server) - cpu, began.elapsed())
}

fn request(fetch_offset: i64, bytes: usize) -> Bytes {
    let partition_max_bytes = i32::try_from(bytes).unwrap();
    let wanted = FetchPartition { fetch_offset, partition_max_bytes, ..Default::default() };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![wanted], ..Default::default() }];
    let header = RequestHeader { api_key: ApiKey::Fetch, api_version: 12, correlation_id: 0, client_id: None };
    request_frame(&header, &FetchRequest { topics, ..Default::default() }).unwrap().to_bytes()
}

/// What a process has used, to a hundredth of a second.
fn cpu(process: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = |index: usize| -> u64 { fields.split(' ').nth(index).unwrap().parse().unwrap() };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
