//! What signals do.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};

use crate::{CONSUME, Cli, numbered_lines};

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn following_ends_well_on_a_signal_and_its_group_goes_on() {
    for end in [Signal::INT, Signal::TERM] {
        let cli = Cli::with_topic();
        cli.ok(&["produce", "t"], b"a\nb\n");
        let follow = ["consume", "t", "--follow", "--group", "g", "--from-beginning"];
        let mut child = cli.command(&follow).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "a\nb\n");
        signal(&child, end);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
        assert_eq!(stdout.read_to_string(&mut line).unwrap(), 0);

        assert!(cli.dir().join(".kafka_cleanshutdown").exists());
        assert_eq!(cli.ok(&["consume", "t", "--group", "g", "--from-beginning"], b""), b"");
    }
}

#[test]
fn an_interrupted_producer_keeps_whole_lines() {
    let cli = Cli::with_topic();
    let mut child = cli.command(&["produce", "t"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"whole\nhal").unwrap();
    // It has written the line when the log has something in it.
    let log = cli.dir().join("t-0/00000000000000000000.log");
    while !fs::read(&log).is_ok_and(|bytes| bytes.windows(5).any(|window| window == b"whole")) {
        std::thread::yield_now();
    }
    signal(&child, Signal::INT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: interrupted; 1 lines are written\n");
    assert!(cli.dir().join(".kafka_cleanshutdown").exists());
    assert_eq!(cli.ok(&CONSUME, b""), b"whole\n");
}

#[test]
fn who_can_not_wait_for_the_end_asks_again() {
    let cli = Cli::with_topic();
    // More than any pipe holds: the command waits for a reader that does not come.
    cli.ok(&["produce", "t"], &numbered_lines(1 << 20));
    let mut child = cli.command(&CONSUME).spawn().unwrap();
    let mut first = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        // Fails only if it has ended meanwhile.
        let _ = kill_process(Pid::from_child(&child), Signal::INT);
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(130));
}
