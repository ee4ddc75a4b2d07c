//! Measurements, as far as they are the same each time; and completions.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::Cli;

#[test]
fn producing_and_consuming_are_measured() {
    let cli = Cli::new();
    for operation in ["produce", "consume"] {
        for place in [&[][..], &["--memory"], &["--partitions", "3", "--threads", "2"]] {
            let args = [&["bench", operation, "--num-records", "1501", "--record-size", "10"], place].concat();
            let measured = &cli.json(&args)[0];
            assert_eq!((&measured["records"], &measured["bytes"]), (&json!(1501), &json!(15_010)), "{args:?}");
            let latency = |key: &str| measured["latency_ms"][key].as_f64().unwrap();
            assert!(latency("p50") <= latency("p999") && latency("p999") <= latency("max") && latency("max") > 0.0);
            assert!(measured["limit"]["copy_and_crc_mb_per_second"].as_f64().unwrap() > 0.0);
            let has_sync = operation == "produce" && !args.contains(&"--memory");
            assert_eq!(measured["limit"]["sync_ms"].is_f64(), has_sync, "{args:?}");
        }
    }
    assert_eq!(cli.text(&["topic", "list"]), "", "what was made for it is gone");
}

#[test]
fn a_measurement_is_told_as_kafkas_tool_does() {
    let cli = Cli::with_topic();
    let text = cli.text(&[
        "bench",
        "produce",
        "--topic",
        "t",
        "--num-records",
        "300",
        "--throughput",
        "100000",
        "--acks",
        "1",
    ]);
    let (first, second) = text.split_once('\n').unwrap();
    assert!(first.starts_with("300 records sent, ") && first.ends_with(" ms 99.9th."), "{text}");
    for part in [" records/sec (", " MB/sec), ", " ms avg latency, ", " ms max latency, ", " ms 50th, ", " ms 95th, "] {
        assert!(first.contains(part), "{part} in {first}");
    }
    assert!(second.starts_with("this machine copies and checksums ") && !second.contains("sync"), "{text}");
    let text = cli.text(&["bench", "consume", "--topic", "t", "--max-poll-records", "7"]);
    assert!(text.starts_with("300 records read, "), "a topic that is given is left: {text}");
}

#[test]
fn what_can_not_be_measured_is_refused_and_leaves_nothing() {
    let cli = Cli::with_topic();
    let refusals: [(&[&str], i32, &str); 4] = [
        (&["--topic", "nope"], 1, "error: topic nope does not exist"),
        (&["--record-size", "2000000"], 1, "error: a batch of "),
        (&["--idempotence", "true", "--acks", "1"], 2, "error: invalid config enable.idempotence"),
        (&["--num-records", "0"], 2, "error: invalid value '0' for '--num-records <N>'"),
    ];
    for (args, code, text) in refusals {
        let (actual, stderr) = cli.failure(&[&["bench", "produce"], args].concat(), b"");
        assert!(actual == code && stderr.starts_with(text), "{args:?}: {actual} {stderr}");
    }
    assert_eq!(cli.text(&["topic", "list"]), "t\n");
}

#[cfg(unix)]
#[test]
fn an_interrupted_measurement_tells_what_it_has() {
    use rustix::process::{Pid, Signal, kill_process};

    let cli = Cli::with_topic();
    let args =
        ["bench", "produce", "--topic", "t", "--num-records", "1000000000", "--throughput", "50000", "--acks", "1"];
    let child = cli.command(&args).spawn().unwrap();
    // It is under way when others see its records.
    let poll = ["consume", "t", "--offset", "earliest", "--max-messages", "1", "--read-only"];
    while cli.run(&poll, b"").stdout.is_empty() {
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(130), "{stdout}{stderr}");
    assert!(stdout.contains(" records sent, "), "{stdout}");
    assert!(stderr.starts_with("error: interrupted; this is of the ") && stderr.ends_with(" records until then\n"));
}

#[test]
fn shells_get_scripts_that_know_the_commands() {
    let cli = Cli::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = cli.text(&["completions", shell]);
        for word in ["reset-offsets", "read-only", "delete-records"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    // Where there is a bash, it can read its script.
    let parsed = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    if let Ok(mut bash) = parsed {
        let mut stdin = bash.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, &cli.ok(&["completions", "bash"], b"")).unwrap();
        drop(stdin);
        let mut stderr = String::new();
        bash.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(bash.wait().unwrap().success() && stderr.is_empty(), "{stderr}");
    }
    assert_eq!(cli.failure(&["completions", "csh"], b"").0, 2);
}
