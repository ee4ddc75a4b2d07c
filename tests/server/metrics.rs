//! What a server tells of itself, as a scraper of Prometheus reads it.
#![cfg(feature = "prometheus")]

use std::net::SocketAddr;
use std::sync::Arc;

use esker::io::MemoryStorage;
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::{JoinGroupRequest, MetadataRequest};
use esker::net::{Connection, ErrorCode};
use esker::server::{Server, ServerConfig};
use esker::{Store, TopicConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within::within;
use super::{batch, fetch_request, fetched, patient, produce, values};

pub(crate) async fn serve(config: ServerConfig) -> Server {
    let store = Store::options().storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    Server::builder(store).config(config).metrics_listener("0").bind("127.0.0.1:0").await.unwrap()
}

/// What comes back for these bytes.
async fn http(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // Whoever sends too much may be cut off.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

pub(crate) async fn scrape(server: &Server) -> String {
    let answer = http(server.metrics_addr().unwrap(), b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    body.to_owned()
}

/// The same once all responses are written and counted: a client may have read one a moment before.
pub(crate) async fn scrape_when_quiet(server: &Server) -> String {
    within(async {
        loop {
            let scraped = scrape(server).await;
            if value(&scraped, "esker_requests_in_flight", &[]) == 0.0 {
                return scraped;
            }
        }
    })
    .await
}

/// How many requests are being dealt with, or wait.
pub(crate) async fn in_flight(server: &Server) -> f64 {
    value(&scrape(server).await, "esker_requests_in_flight", &[])
}

/// Waits until a series without labels has this value.
pub(crate) async fn until(server: &Server, name: &str, expected: f64) {
    within(async { while value(&scrape(server).await, name, &[]) != expected {} }).await;
}

/// The value of a series, whatever the order of its labels; 0 if it isn't there.
pub(crate) fn value(scraped: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let is_it = |line: &&str| {
        let (series, _) = line.rsplit_once(' ').unwrap_or_default();
        let (found, found_labels) = series.split_once('{').unwrap_or((series, ""));
        let count = found_labels.matches('=').count();
        let has = |(key, value): &(&str, &str)| found_labels.contains(&format!("{key}=\"{value}\""));
        found == name && count == labels.len() && labels.iter().all(has)
    };
    let found: Vec<_> = scraped.lines().filter(is_it).collect();
    assert!(found.len() <= 1, "{found:?}");
    found.first().map_or(0.0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

/// How many requests were answered.
fn answered(scraped: &str, request: &str, version: &str, error: &str) -> f64 {
    value(scraped, "esker_requests_total", &[("request", request), ("version", version), ("error", error)])
}

#[tokio::test]
async fn what_clients_did_is_counted() {
    let server = serve(ServerConfig::default()).await;
    let connection = Connection::connect(server.local_addr().unwrap()).await.unwrap();
    let records = batch(&["a", "b", "c"]);
    let bytes = records.len() as f64;
    for acks in [1, -1] {
        assert_eq!(produce(&connection, acks, 0, records.clone()).await.unwrap().error_code, ErrorCode::NONE);
    }
    // With a partition that isn't there.
    produce(&connection, 1, 9, records.clone()).await.unwrap();
    assert_eq!(values(&fetched(connection.send(&fetch_request(0, 0), 12).await.unwrap())).len(), 6);
    fetched(connection.send(&fetch_request(0, 99), 12).await.unwrap());
    let protocol = JoinGroupRequestProtocol { name: "range".into(), ..Default::default() };
    let join = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    };
    connection.send(&join, 0).await.unwrap();

    let scraped = scrape_when_quiet(&server).await;
    assert_eq!(answered(&scraped, "Produce", "9", "NONE"), 2.0, "{scraped}");
    assert_eq!(answered(&scraped, "Produce", "9", "UNKNOWN_TOPIC_OR_PARTITION"), 1.0);
    assert_eq!(answered(&scraped, "Fetch", "12", "NONE"), 1.0);
    assert_eq!(answered(&scraped, "Fetch", "12", "OFFSET_OUT_OF_RANGE"), 1.0);
    let topic = [("topic", "t")];
    assert_eq!(value(&scraped, "esker_topic_records_in_total", &topic), 6.0);
    assert_eq!(value(&scraped, "esker_topic_bytes_in_total", &topic), 2.0 * bytes);
    assert_eq!(value(&scraped, "esker_topic_bytes_out_total", &topic), 2.0 * bytes);
    assert_eq!(value(&scraped, "esker_log_flush_duration_seconds_count", &[]), 1.0);
    assert_eq!(value(&scraped, "esker_group_rebalances_total", &[]), 1.0);
    assert_eq!(value(&scraped, "esker_request_duration_seconds_count", &[("request", "Produce")]), 3.0);
    let within = [("request", "Produce"), ("le", "+Inf")];
    assert_eq!(value(&scraped, "esker_request_duration_seconds_bucket", &within), 3.0);
    assert_eq!(value(&scraped, "esker_connections", &[]), 1.0);
    assert_eq!(value(&scraped, "esker_connections_opened_total", &[]), 1.0);
    assert_eq!(value(&scraped, "esker_request_bytes_in_flight", &[]), 0.0);
    let (received, sent) =
        (value(&scraped, "esker_received_bytes_total", &[]), value(&scraped, "esker_sent_bytes_total", &[]));
    assert!(received > 3.0 * bytes && sent > 2.0 * bytes, "{received} {sent}");
    // Each is described.
    let names = scraped.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in names.map(|line| line.split(' ').next().unwrap()) {
        assert!(scraped.contains(&format!("# HELP {name} ")), "{name}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn versions_that_there_are_not_are_one_series() {
    let server = serve(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    for version in [1000_i16, 1001, 1002] {
        let [high, low] = version.to_be_bytes();
        stream.write_all(&[0, 0, 0, 11, 0, 18, high, low, 0, 0, 0, 1, 0xff, 0xff, 0]).await.unwrap();
        let size = stream.read_u32().await.unwrap();
        stream.read_exact(&mut vec![0; size as usize]).await.unwrap();
    }
    let scraped = scrape_when_quiet(&server).await;
    assert_eq!(answered(&scraped, "ApiVersions", "unknown", "UNSUPPORTED_VERSION"), 3.0, "{scraped}");
    server.shutdown().await;
}

#[tokio::test]
async fn what_clients_may_not_do_is_counted() {
    let server = serve(ServerConfig { max_connections_per_ip: 1, ..ServerConfig::default() }).await;
    let address = server.local_addr().unwrap();
    let mut garbage = TcpStream::connect(address).await.unwrap();
    garbage.write_all(b"\xff\xff\xff\xff").await.unwrap();
    while garbage.read(&mut [0]).await.unwrap_or(0) > 0 {}
    // The place is free once the server is done with it.
    let connection = within(async {
        loop {
            let connection = Connection::connect(address).await.unwrap();
            if connection.send(&MetadataRequest::default(), 12).await.is_ok() {
                break connection;
            }
        }
    })
    .await;
    let before = value(&scrape(&server).await, "esker_connections_rejected_total", &[]);
    let mut another = TcpStream::connect(address).await.unwrap();
    while another.read(&mut [0]).await.unwrap_or(0) > 0 {}
    let scraped = scrape_when_quiet(&server).await;
    assert_eq!(value(&scraped, "esker_connections_failed_total", &[]), 1.0, "{scraped}");
    assert_eq!(value(&scraped, "esker_connections_rejected_total", &[]), before + 1.0);
    assert_eq!(answered(&scraped, "Metadata", "12", "NONE"), 1.0);
    drop(connection);
    // A connection that is gone is no longer counted, once the server has seen it.
    until(&server, "esker_connections", 0.0).await;
}

#[tokio::test]
async fn a_request_that_waits_is_in_flight() {
    let server = serve(ServerConfig::default()).await;
    let (one, other) = (server.connect(), server.connect());
    let waiting = patient(fetch_request(0, 0));
    let waiting = tokio::spawn(async move { one.send(&waiting, 12).await });
    until(&server, "esker_requests_in_flight", 1.0).await;
    assert!(value(&scrape(&server).await, "esker_request_bytes_in_flight", &[]) > 0.0);
    produce(&other, 1, 0, batch(&["a"])).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(value(&scrape_when_quiet(&server).await, "esker_request_bytes_in_flight", &[]), 0.0);
}

#[tokio::test]
async fn what_is_no_scrape_harms_nobody() {
    let server = serve(ServerConfig::default()).await;
    let address = server.metrics_addr().unwrap();
    assert!(address.ip().is_loopback());
    let long = [&b"GET /metrics HTTP/1.1\r\nX: "[..], &b"x".repeat(10_000)].concat();
    for (request, status) in [
        (&b""[..], "400"),
        (b"\xff\xff\xff\xff\0\0\0", "400"),
        (b"GET /metrics HTTP/1.1\r\n", "400"),
        (&long, "400"),
        (b"\r\n\r\n", "405"),
        (b"\xff\xfe /metrics HTTP/1.1\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\n\r\n", "404"),
        (b"GET /metrics/../secret HTTP/1.1\r\n\r\n", "404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"GET /metrics\r\n\r\n", "404"),
        (b"GET /metrics?name=x HTTP/1.0\r\n\r\n", "200"),
    ] {
        let answer = http(address, request).await;
        // One who sends too much may not get to read it.
        let expected = format!("HTTP/1.0 {status} ");
        assert!(answer.starts_with(&expected) || (answer.is_empty() && request.len() > 8192), "{request:?}: {answer}");
    }
    // As many as there may be at a time say nothing, and one more is served once they are gone.
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let connection = server.connect();
    assert_eq!(produce(&connection, 1, 0, batch(&["a"])).await.unwrap().base_offset, 0);
    drop(silent);
    assert_eq!(answered(&scrape_when_quiet(&server).await, "Produce", "9", "NONE"), 1.0);
    server.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn each_server_has_its_own() {
    let (one, other) = (serve(ServerConfig::default()).await, serve(ServerConfig::default()).await);
    produce(&one.connect(), 1, 0, batch(&["a"])).await.unwrap();
    assert_eq!(answered(&scrape_when_quiet(&one).await, "Produce", "9", "NONE"), 1.0);
    assert_eq!(answered(&scrape_when_quiet(&other).await, "Produce", "9", "NONE"), 0.0);
}
