//! The command line as a user meets it: what goes in, what comes out, exit codes and the texts of errors.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod bench;
mod beside;
#[path = "../common/certificates.rs"]
mod certificates;
mod dump;
mod failures;
mod follow;
mod formats;
mod groups;
mod outages;
mod records;
mod remote;
mod secured;
mod serve;
mod signals;
mod snapshot;
mod terminal;
mod topics;
mod transactions;
mod users;
mod verify;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A temporary data directory and the command on it.
struct Cli {
    temporary: TempDir,
}

impl Cli {
    fn new() -> Self {
        Self { temporary: TempDir::new().unwrap() }
    }

    /// With a topic `t` of one partition.
    fn with_topic() -> Self {
        let cli = Self::new();
        cli.ok(&["topic", "create", "t"], b"");
        cli
    }

    /// With a topic `t` of three records, a batch each: `first`, `lost!` and `third`.
    fn with_three_records() -> Self {
        let cli = Self::with_topic();
        for value in [b"first\n", b"lost!\n", b"third\n"] {
            cli.ok(&["produce", "t"], value);
        }
        cli
    }

    /// Flips a bit in the second of these records, which makes it `most!`. Returns the log that it is in, and what that
    /// holds then.
    fn damage_the_second(&self) -> (PathBuf, Vec<u8>) {
        let log = self.dir().join("t-0/00000000000000000000.log");
        let mut bytes = fs::read(&log).unwrap();
        let at = bytes.windows(5).position(|window| window == b"lost!").unwrap();
        bytes[at] ^= 1;
        fs::write(&log, &bytes).unwrap();
        (log, bytes)
    }

    fn dir(&self) -> PathBuf {
        self.temporary.path().join("data")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esker"));
        command.args(args).env("ESKER_DIR", self.dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end, with these bytes as stdin.
    fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(args).spawn().unwrap();
        // A command that fails early reads none of it.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// What it prints; it must exit with 0 and have nothing to say on stderr.
    fn ok(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.run(args, input);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{args:?}: {} {stderr}", output.status);
        output.stdout
    }

    fn text(&self, args: &[&str]) -> String {
        String::from_utf8(self.ok(args, b"")).unwrap()
    }

    /// What it prints as JSON, an object a line.
    fn json(&self, args: &[&str]) -> Vec<Value> {
        let text = self.text(&[args, &["--output", "json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The exit code and what it says on stderr.
    fn failure(&self, args: &[&str], input: &[u8]) -> (i32, String) {
        let output = self.run(args, input);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

const CONSUME: [&str; 3] = ["consume", "t", "--from-beginning"];

/// Numbered lines, this many bytes of them at least.
fn numbered_lines(bytes: usize) -> Vec<u8> {
    let mut lines = Vec::new();
    for number in 0.. {
        if lines.len() >= bytes {
            break;
        }
        writeln!(lines, "line {number}").unwrap();
    }
    lines
}
