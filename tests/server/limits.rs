//! What clients may take: connections, memory, time.

use std::sync::Arc;
use std::time::Duration;

use esker::io::MemoryStorage;
use esker::net::messages::MetadataRequest;
use esker::net::messages::metadata::MetadataRequestTopic;
use esker::net::{Connection, ErrorCode};
use esker::server::{Server, ServerConfig};
use esker::{Store, TopicConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::within::within;
use super::{batch, produce, produce_request, produced};

async fn serve(config: ServerConfig) -> Server {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    Server::builder(store).config(config).bind("127.0.0.1:0").await.unwrap()
}

async fn is_served(connection: &Connection) -> bool {
    connection.send(&MetadataRequest::default(), 12).await.is_ok()
}

#[tokio::test]
async fn one_connection_too_many_from_an_address_is_closed() {
    let server = serve(ServerConfig { max_connections_per_ip: 2, ..ServerConfig::default() }).await;
    let address = server.local_addr().unwrap();
    let first = Connection::connect(address).await.unwrap();
    let second = Connection::connect(address).await.unwrap();
    assert!(is_served(&first).await && is_served(&second).await);
    assert_eq!(TcpStream::connect(address).await.unwrap().read(&mut [0]).await.unwrap_or(0), 0);
    assert!(is_served(&first).await, "the others stay");
    drop(second);
    // The server learns of it in its own time.
    let next = async {
        loop {
            let next = Connection::connect(address).await.unwrap();
            if is_served(&next).await {
                return next;
            }
        }
    };
    let _third = within(next).await;
    assert!(!is_served(&Connection::connect(address).await.unwrap()).await, "one has gone, and one has come");
}

#[tokio::test]
async fn from_some_addresses_there_may_be_more_or_fewer() {
    const OVERRIDES: &str = "max.connections.per.ip.overrides";
    let with = |overrides: &str| {
        let mut config = ServerConfig { max_connections_per_ip: 1, ..ServerConfig::default() };
        config.set(OVERRIDES, overrides).map(|()| config)
    };
    for (overrides, max) in [("", 1), ("::1:5, 127.0.0.1:2", 2), ("127.0.0.1:0", 0), ("127.0.0.2:5", 1)] {
        let server = serve(with(overrides).unwrap()).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            let connection = Connection::connect(server.local_addr().unwrap()).await.unwrap();
            if is_served(&connection).await {
                held.push(connection);
            }
        }
        assert_eq!(held.len(), max, "{overrides}");
    }
    for wrong in ["127.0.0.1", "127.0.0.1:-1", ":1", "127.0.0.1:many"] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
    // No name has a space in it.
    let config = with("no host:1").unwrap();
    assert!(Server::builder(Store::temporary().unwrap()).config(config).in_memory().is_err());
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_until_another_ends() {
    let server = serve(ServerConfig { max_connections: 1, ..ServerConfig::default() }).await;
    let address = server.local_addr().unwrap();
    let first = Connection::connect(address).await.unwrap();
    assert!(is_served(&first).await);
    let second = Connection::connect(address).await.unwrap();
    let waiting = tokio::spawn(async move { is_served(&second).await });
    for _ in 0..10 {
        assert!(is_served(&first).await);
    }
    assert!(!waiting.is_finished());
    drop(first);
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn a_listener_that_nobody_comes_to_takes_no_place_from_others() {
    let mut config = ServerConfig { max_connections: 1, ..ServerConfig::default() };
    config.set("listeners", "PLAINTEXT://127.0.0.1:0,OTHER://127.0.0.1:0").unwrap();
    config.set("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT").unwrap();
    let server = Server::builder(Store::temporary().unwrap()).config(config).start().await.unwrap();
    for address in [0, 1, 0, 1].map(|listener| server.local_addrs()[listener]) {
        assert!(is_served(&Connection::connect(address).await.unwrap()).await);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn limits_may_be_none_as_in_kafka() {
    let mut config = ServerConfig::default();
    for (key, value) in [("queued.max.request.bytes", "-1"), ("connections.max.idle.ms", "-1")] {
        config.set(key, value).unwrap();
    }
    let server = serve(config).await;
    let connection = Connection::connect(server.local_addr().unwrap()).await.unwrap();
    for _ in 0..2 {
        assert!(is_served(&connection).await);
    }
    assert!(ServerConfig::default().set("connections.max.idle.ms", "0").is_err(), "nobody would be served");
    server.shutdown().await;
}

#[tokio::test]
async fn where_there_may_be_no_connection_all_wait() {
    let server = serve(ServerConfig { max_connections: 0, ..ServerConfig::default() }).await;
    let connection = Connection::connect(server.local_addr().unwrap()).await.unwrap();
    assert!(timeout(Duration::from_millis(50), is_served(&connection)).await.is_err());
    assert!(is_served(&server.connect()).await, "who is in the process is none that listeners let in");
    server.shutdown().await;
}

#[tokio::test]
async fn one_request_creates_so_many_partitions_and_no_more() {
    let store = Store::options().storage(Arc::new(MemoryStorage::new())).open("data").unwrap();
    let config = ServerConfig { num_partitions: 5_000, ..ServerConfig::default() };
    let server = Server::builder(store.clone()).config(config).in_memory().unwrap();
    let connection = server.connect();
    let topics =
        ["a", "b", "c", "d"].map(|name| MetadataRequestTopic { name: Some(name.into()), ..Default::default() });
    let request = MetadataRequest { topics: Some(topics.to_vec()), ..Default::default() };
    for expected in [2, 4] {
        let told = connection.send(&request, 12).await.unwrap().topics;
        let created = told.iter().filter(|topic| topic.error_code == ErrorCode::NONE).count();
        let unknown = told.iter().filter(|topic| topic.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION).count();
        assert_eq!((created, unknown), (expected, 4 - expected), "who asks again gets the rest");
        assert_eq!(store.topics().len(), expected);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_does_nothing_is_let_go() {
    let server = serve(ServerConfig { connections_max_idle_ms: 1, ..ServerConfig::default() }).await;
    for begun in [&b""[..], b"\0\0", b"\0\0\0\x10\0\x03"] {
        let mut silent = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
        silent.write_all(begun).await.unwrap();
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0, "the server ends it");
    }
}

#[tokio::test]
async fn requests_that_are_larger_than_all_memory_for_them_are_served() {
    let config = ServerConfig { queued_max_request_bytes: 100, ..ServerConfig::default() };
    let server = serve(config).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let connection = Connection::connect(server.local_addr().unwrap()).await.unwrap();
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                // Larger than there is room for: it has all of it.
                let response = connection.send(&produce_request(-1, 0, batch(&[&"x".repeat(500)])), 9).await.unwrap();
                assert_eq!(produced(response).error_code, ErrorCode::NONE);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// A client asks for much and takes nothing, others work on; it ends when the server does.
#[tokio::test]
async fn a_client_that_reads_nothing_keeps_nobody_else_waiting() {
    let server = serve(ServerConfig::default()).await;
    let address = server.local_addr().unwrap();
    let good = Connection::connect(address).await.unwrap();
    let deaf = TcpStream::connect(address).await.unwrap();
    // ApiVersions 0, as often as it goes out: at some point the server reads no more of them.
    let request = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff".repeat(1000);
    within(async {
        let mut stuck_for = 0;
        while stuck_for < 20 {
            match deaf.try_write(&request) {
                Ok(_) => stuck_for = 0,
                Err(_) => stuck_for += 1,
            }
            assert!(produce(&good, 1, 0, batch(&["a"])).await.is_ok());
        }
    })
    .await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_takes_no_responses_is_let_go() {
    let server = serve(ServerConfig { connections_max_idle_ms: 50, ..ServerConfig::default() }).await;
    let deaf = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    let requests = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff".repeat(1000);
    let writes = async {
        let mut written = 0;
        loop {
            deaf.writable().await.unwrap();
            match deaf.try_write(&requests[written..]) {
                Ok(more) => written = (written + more) % requests.len(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => break error.kind(),
            }
        }
    };
    let ended = timeout(Duration::from_secs(60), writes).await.expect("the server ends it");
    assert!(matches!(ended, std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe), "{ended:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn requests_may_follow_each_other_without_waiting() {
    let server = serve(ServerConfig::default()).await;
    let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    let request = |id: u8| [&b"\0\0\0\x0a\0\x12\0\0\0\0\0"[..], &[id], b"\xff\xff"].concat();
    let all: Vec<u8> = (0..200).flat_map(request).collect();
    stream.write_all(&all).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.unwrap();
    let (mut rest, mut ids) = (&answers[..], Vec::new());
    while let Some((size, after)) = rest.split_first_chunk() {
        let (frame, next) = after.split_at(u32::from_be_bytes(*size) as usize);
        ids.push(frame[3]);
        rest = next;
    }
    assert_eq!(ids, (0..200).collect::<Vec<u8>>(), "all are answered, in their order, before the server closes");
}
