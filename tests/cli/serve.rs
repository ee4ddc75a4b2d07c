//! `esker serve`: the directory as a broker, until a signal.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::process::Child;

use bytes::Bytes;
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::produce::{PartitionProduceData, TopicProduceData};
use esker::net::messages::{FetchRequest, ProduceRequest, request_frame};
use esker::net::{ApiKey, Connection, ConnectionError, RequestHeader};
use esker::record::{BatchBuilder, RecordData};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use crate::signals::signal;
use crate::{CONSUME, Cli, numbered_lines};

const ANYWHERE: &str = "listeners=PLAINTEXT://127.0.0.1:0";

/// Starts a server, and returns what it says of itself.
fn start(cli: &Cli, args: &[&str]) -> (Child, serde_json::Value) {
    let serve = ["serve", "--override", ANYWHERE, "--output", "json"];
    let mut child = cli.command(&[&serve, args].concat()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

#[test]
fn a_client_is_served_until_the_server_is_told_to_stop() {
    let cli = Cli::with_topic();
    let file = cli.dir().with_file_name("server.properties");
    fs::write(&file, "num.partitions=3\nnum.io.threads=8\nnum.partition=4\n").unwrap();
    let (child, row) = start(&cli, &["--config", file.to_str().unwrap()]);
    assert_eq!(row["dir"].as_str(), cli.dir().to_str());

    let mut stream = TcpStream::connect(row["listeners"][0].as_str().unwrap()).unwrap();
    // ApiVersions 0.
    stream.write_all(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff").unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[4..], [0, 0, 0, 7, 0, 0], "the number of the request, and no error");

    signal(&child, Signal::TERM);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("warning: num.io.threads has no meaning here"), "{stderr}");
    assert!(stderr.contains("warning: no broker of Kafka 4.3 has a config num.partition\n"), "{stderr}");
    assert!(cli.dir().join(".kafka_cleanshutdown").exists());
}

#[test]
fn that_nobody_can_log_in_is_a_warning() {
    let cli = Cli::new();
    let listener = ["--override", "listeners=SASL_PLAINTEXT://127.0.0.1:0"];
    let mechanisms = ["--override", "sasl.enabled.mechanisms=SCRAM-SHA-256"];
    let said = || {
        let (child, _) = start(&cli, &[listener, mechanisms].concat());
        signal(&child, Signal::TERM);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    let warning = "there are no users yet: nobody can log in";
    assert!(said().contains(warning));
    cli.ok(&["user", "add", "alice"], b"secret\n");
    assert!(!said().contains(warning));
}

#[test]
fn what_it_cannot_be_is_an_error() {
    let cli = Cli::new();
    for (configs, says) in [
        (&["num.partitions=0"][..], "num.partitions"),
        (&["log.retention.hours=x"], "log.retention.hours"),
        (&["listeners=PLAINTEXT://127.0.0.1:0,PLAINTEXT://127.0.0.1:0"], "listeners"),
        (&["listeners="], "listeners"),
        (&["listeners=FOO://127.0.0.1:0"], "listener.security.protocol.map"),
        (&["listeners=SSL://127.0.0.1:0"], "ssl.keystore"),
        (&["listeners=SASL_PLAINTEXT://127.0.0.1:0", "sasl.enabled.mechanisms="], "sasl.enabled.mechanisms"),
        (&[ANYWHERE, "advertised.listeners=SSL://127.0.0.1:9092"], "advertised.listeners"),
        (&["nothing"], "expected KEY=VALUE"),
    ] {
        let overrides: Vec<&str> = configs.iter().flat_map(|config| ["--override", config]).collect();
        let (code, stderr) = cli.failure(&[&["serve"], &overrides[..]].concat(), b"");
        assert!(code == 2 && stderr.contains(says), "{configs:?}: {code} {stderr}");
    }
    #[cfg(feature = "prometheus")]
    {
        let (code, stderr) = cli.failure(&["serve", "--override", ANYWHERE, "--metrics-listener", "nope"], b"");
        assert!(code == 2 && stderr.contains("expected HOST:PORT or a port"), "{code} {stderr}");
    }
    let lost = ["listeners=SSL://127.0.0.1:0", "ssl.keystore.type=PEM", "ssl.keystore.location=/nowhere/server.pem"];
    let lost: Vec<&str> = lost.iter().flat_map(|config| ["--override", config]).collect();
    let (code, stderr) = cli.failure(&[&["serve"], &lost[..]].concat(), b"");
    assert!(code == 1 && stderr.contains("/nowhere/server.pem"), "{code} {stderr}");
    assert!(!cli.dir().exists(), "nothing was done");

    let (code, stderr) = Cli::with_topic().failure(&["serve", "--override", "node.id=7"], b"");
    assert!(code == 2 && stderr.contains("node.id"), "{code} {stderr}");
}

#[test]
fn the_environment_may_have_what_is_no_text() {
    let cli = Cli::with_topic();
    let no_text = OsStr::from_bytes(b"\xff");
    let output = |name: &str| {
        let mut command = cli.command(&["serve", "--override", "num.partitions=0"]);
        let output = command.env(name, no_text).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = output("LESS");
    assert!(code == Some(2) && stderr.contains("num.partitions"), "as without it: {stderr}");
    let (code, stderr) = output("KAFKA_LISTENERS");
    assert!(code == Some(2) && stderr.contains("listeners"), "{stderr}");
}

#[test]
#[cfg(feature = "prometheus")]
fn metrics_are_shown_where_it_is_told() {
    let cli = Cli::with_topic();
    let (mut child, row) = start(&cli, &["--metrics-listener", "0"]);
    let address = row["metrics"].as_str().unwrap().strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\nesker_connections_opened_total 0\n"), "{answer}");
    signal(&child, Signal::TERM);
    assert!(child.wait().unwrap().success());
}

/// Sends one record after the other, and waits for each. Returns how many were acknowledged before the server ended.
async fn produce(address: SocketAddr, client: usize, acks: i16, acknowledged: tokio::sync::mpsc::Sender<()>) -> usize {
    let connection = Connection::connect(address).await.unwrap();
    for count in 0.. {
        let mut builder = BatchBuilder::new(1 << 10);
        builder.push(&RecordData::of(format!("{client} {count}").as_bytes()).at(1)).unwrap();
        let records = Some(Bytes::copy_from_slice(builder.build().unwrap().bytes()));
        let partition_data = vec![PartitionProduceData { index: 0, records }];
        let topic_data = vec![TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
        let request = ProduceRequest { acks, timeout_ms: 30_000, topic_data, ..Default::default() };
        match connection.send(&request, 9).await {
            Ok(response) => assert!(response.responses[0].partition_responses[0].base_offset >= 0, "{response:?}"),
            Err(ConnectionError::Closed | ConnectionError::Io(_)) => return count,
            Err(error) => panic!("{error}"),
        }
        let _ = acknowledged.try_send(());
    }
    unreachable!("it goes on until the server ends");
}

#[test]
fn a_server_that_is_stopped_at_work_keeps_what_it_has_acknowledged() {
    for end in [Signal::TERM, Signal::INT] {
        let cli = Cli::with_topic();
        let (child, row) = start(&cli, &[]);
        let address: SocketAddr = row["listeners"][0].as_str().unwrap().parse().unwrap();
        let counts: Vec<usize> = Runtime::new().unwrap().block_on(async {
            let (told, mut acknowledged) = tokio::sync::mpsc::channel(1);
            let start = |client| tokio::spawn(produce(address, client, [1, -1][client % 2], told.clone()));
            let clients: Vec<_> = (0..8).map(start).collect();
            // They are all about it by then.
            for _ in 0..50 {
                acknowledged.recv().await.unwrap();
            }
            signal(&child, end);
            let mut counts = Vec::new();
            for client in clients {
                counts.push(client.await.unwrap());
            }
            counts
        });
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(cli.dir().join(".kafka_cleanshutdown").exists());
        let kept = String::from_utf8(cli.ok(&CONSUME, b"")).unwrap();
        let kept: std::collections::HashSet<&str> = kept.lines().collect();
        assert!(counts.iter().sum::<usize>() >= 50);
        for (client, count) in counts.into_iter().enumerate() {
            assert!((0..count).all(|number| kept.contains(&*format!("{client} {number}"))), "of client {client}");
        }
    }
}

/// The second signal finds the server held up by a client that doesn't read what it has asked for, which it would wait
/// for.
#[test]
#[cfg(target_os = "linux")]
fn a_second_signal_ends_a_server_at_once() {
    let cli = Cli::with_topic();
    // More than lies between two sockets.
    cli.ok(&["produce", "t"], &numbered_lines(8 << 20));
    let (child, row) = start(&cli, &[]);
    Runtime::new().unwrap().block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(row["listeners"][0].as_str().unwrap().parse().unwrap()).await.unwrap();
        let wanted = FetchPartition { partition_max_bytes: i32::MAX, ..Default::default() };
        let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![wanted], ..Default::default() }];
        let header = RequestHeader { api_key: ApiKey::Fetch, api_version: 12, correlation_id: 1, client_id: None };
        let frame = request_frame(&header, &FetchRequest { topics, ..Default::default() }).unwrap();
        stream.write_all(&frame.to_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 1000]).await.unwrap();
        // While it is held, both signals reach it; it wakes to find them.
        signal(&child, Signal::STOP);
        let status = waitpid(Some(Pid::from_child(&child)), WaitOptions::UNTRACED).unwrap().unwrap().1;
        assert!(status.stopped());
        signal(&child, Signal::TERM);
        signal(&child, Signal::INT);
        signal(&child, Signal::CONT);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    });
    assert!(!cli.dir().join(".kafka_cleanshutdown").exists(), "as after a crash");
    assert!(cli.ok(&CONSUME, b"") == numbered_lines(8 << 20));
}
