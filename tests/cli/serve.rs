//! `esker serve`: the directory as a broker, until a signal.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use rustix::process::{Pid, Signal, kill_process};

use crate::Cli;

const ANYWHERE: &str = "listeners=PLAINTEXT://127.0.0.1:0";

#[test]
fn a_client_is_served_until_the_server_is_told_to_stop() {
    let cli = Cli::with_topic();
    let file = cli.dir().with_file_name("server.properties");
    fs::write(&file, "num.partitions=3\nnum.io.threads=8\n").unwrap();
    let serve = ["serve", "--config", file.to_str().unwrap(), "--override", ANYWHERE, "--output", "json"];
    let mut child = cli.command(&serve).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let row: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(row["dir"].as_str(), cli.dir().to_str());

    let mut stream = TcpStream::connect(row["listeners"][0].as_str().unwrap()).unwrap();
    // ApiVersions 0.
    stream.write_all(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff").unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[4..], [0, 0, 0, 7, 0, 0], "the number of the request, and no error");

    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("warning: num.io.threads has no meaning here"), "{stderr}");
    assert!(cli.dir().join(".kafka_cleanshutdown").exists());
}

#[test]
fn what_it_cannot_be_is_an_error() {
    let cli = Cli::with_topic();
    for (config, code, says) in [
        ("num.partitions=0", 1, "num.partitions"),
        ("listeners=PLAINTEXT://127.0.0.1:0,PLAINTEXT://127.0.0.1:0", 1, "listeners"),
        ("nothing", 2, "expected KEY=VALUE"),
    ] {
        let output = cli.run(&["serve", "--override", config], b"");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && stderr.contains(says), "{stderr}");
    }
}

#[test]
#[cfg(feature = "prometheus")]
fn metrics_are_shown_where_it_is_told() {
    let cli = Cli::with_topic();
    let serve = ["serve", "--override", ANYWHERE, "--metrics-listener", "0", "--output", "json"];
    let mut child = cli.command(&serve).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let row: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = row["metrics"].as_str().unwrap().strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\nesker_connections_opened_total 0\n"), "{answer}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
