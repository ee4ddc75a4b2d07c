//! The command line as a user meets it: what goes in, what comes out, exit codes and the texts of errors.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

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

// What goes in comes out.

#[test]
fn files_come_out_as_they_went_in() {
    let every_byte: Vec<u8> = (0..=255).chain(0..=255).collect();
    let long_line = [vec![b'x'; 1_000_000], b"\nshort\n".to_vec()].concat();
    let chunks = numbered_lines(3 << 20);
    let inputs: [&[u8]; 9] =
        [b"", b"\n", b"a\nb", b"a\nb\n", b"\n\n\na\n\n", b"a\r\nb\r\n\r\n", &every_byte, &long_line, &chunks];
    for input in inputs {
        let cli = Cli::with_topic();
        cli.ok(&["produce", "t"], input);
        let mut expected = input.to_vec();
        if !input.is_empty() && !input.ends_with(b"\n") {
            expected.push(b'\n');
        }
        assert!(cli.ok(&CONSUME, b"") == expected, "{:?}…", String::from_utf8_lossy(&input[..input.len().min(50)]));
    }
}

#[test]
fn every_codec_and_ack_level_carries_a_file() {
    let cli = Cli::with_topic();
    let input = numbered_lines(1 << 20);
    let file = cli.temporary.path().join("input");
    fs::write(&file, &input).unwrap();
    for options in [["--compression", "gzip"], ["--compression", "zstd"], ["--acks", "0"], ["--acks", "1"]] {
        cli.ok(&[&["produce", "t", "--file", file.to_str().unwrap()], &options[..]].concat(), b"");
    }
    assert!(cli.ok(&CONSUME, b"") == input.repeat(4));
}

#[test]
fn with_a_separator_lines_have_keys() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t", "--key-separator", "::"], b"a::1\n::no key bytes\nb::2::3\n");
    assert_eq!(cli.ok(&CONSUME, b""), b"1\nno key bytes\n2::3\n");
    let keys = ["--print-key", "--key-separator", "="];
    assert_eq!(cli.ok(&[&CONSUME[..], &keys].concat(), b""), b"a=1\n=no key bytes\nb=2::3\n");
}

#[test]
fn records_without_a_key_print_null() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"value\n");
    assert_eq!(cli.ok(&[&CONSUME[..], &["--print-key"]].concat(), b""), b"null\tvalue\n");
}

#[test]
fn keys_choose_partitions_and_an_option_overrides_them() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--partitions", "3"], b"");
    cli.ok(&["produce", "t", "--partition", "2"], b"a\nb\n");
    assert_eq!(cli.ok(&[&CONSUME[..], &["--partition", "2"]].concat(), b""), b"a\nb\n");
    assert_eq!(cli.ok(&[&CONSUME[..], &["--partition", "0", "--partition", "1"]].concat(), b""), b"");
    let lines = numbered_lines(10_000);
    cli.ok(&["produce", "t", "--key-separator", " "], &lines);
    let mut found: Vec<_> = cli.ok(&CONSUME, b"").split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    found.sort();
    assert_eq!(found.len(), 2 + lines.iter().filter(|byte| **byte == b'\n').count() + 1);
}

#[test]
fn reading_starts_at_an_offset_and_stops_after_a_count() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"0\n1\n2\n3\n4\n");
    assert_eq!(cli.ok(&["consume", "t", "--offset", "3"], b""), b"3\n4\n");
    assert_eq!(cli.ok(&["consume", "t", "--offset", "5"], b""), b"");
    assert_eq!(cli.ok(&["consume", "t", "--offset", "1", "--max-messages", "2"], b""), b"1\n2\n");
    let (code, stderr) = cli.failure(&["consume", "t", "--offset", "6"], b"");
    assert_eq!((code, &*stderr), (1, "error: offset 6 of t-0 is out of range: the log holds 0..5\n"));
}

// Groups.

#[test]
fn a_group_goes_on_where_it_left_off() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"1\n2\n3\n4\n");
    let group = ["consume", "t", "--group", "g", "--from-beginning"];
    assert_eq!(cli.ok(&[&group[..], &["--max-messages", "1"]].concat(), b""), b"1\n");
    assert_eq!(cli.ok(&[&group[..], &["--max-messages", "2"]].concat(), b""), b"2\n3\n");
    assert_eq!(cli.ok(&group, b""), b"4\n");
    assert_eq!(cli.ok(&group, b""), b"");
    cli.ok(&["produce", "t"], b"5\n");
    assert_eq!(cli.ok(&group, b""), b"5\n");
    assert_eq!(cli.ok(&["consume", "t", "--group", "other"], b""), b"", "the end is where a new group starts");
    cli.ok(&["produce", "t"], b"6\n");
    assert_eq!(cli.ok(&["consume", "t", "--group", "other"], b""), b"6\n", "and that is remembered");
}

#[test]
fn a_closed_pipe_ends_well_and_a_group_goes_on_after_what_went_through() {
    let cli = Cli::with_topic();
    // More than any pipe holds, so that the command is still writing when its reader leaves.
    let input = numbered_lines(4 << 20);
    cli.ok(&["produce", "t"], &input);
    let group = ["consume", "t", "--group", "g", "--from-beginning"];
    let mut child = cli.command(&group).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "line 0\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));

    let rest = cli.ok(&group, b"");
    assert!(!rest.is_empty() && rest.len() < input.len() && input.ends_with(&rest));
    let printed_before = input[..input.len() - rest.len()].to_vec();
    assert!(printed_before.ends_with(b"\n"), "whole records");
}

#[test]
fn every_command_bears_a_closed_pipe() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--partitions", "50"], b"");
    cli.ok(&["produce", "t"], b"x\n");
    let partition = cli.dir().join("t-0");
    let commands: [&[&str]; 4] =
        [&["topic", "list"], &["topic", "describe"], &["log", "dump", partition.to_str().unwrap()], &["--help"]];
    for args in commands {
        let mut child = cli.command(args).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{args:?}");
    }
}

// Signals.

#[cfg(unix)]
mod signals {
    use std::process::Child;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    fn signal(child: &Child, signal: Signal) {
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
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: interrupted; 1 lines are written\n");
        assert!(cli.dir().join(".kafka_cleanshutdown").exists());
        assert_eq!(cli.ok(&CONSUME, b""), b"whole\n");
    }

    #[test]
    fn a_directory_is_open_to_one_process() {
        let cli = Cli::with_topic();
        cli.ok(&["produce", "t"], b"a\n");
        let mut child = cli.command(&["consume", "t", "--from-beginning", "--follow"]).spawn().unwrap();
        let mut first = [0; 2];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        let (code, stderr) = cli.failure(&["produce", "t"], b"b\n");
        let expected = format!("error: {} is in use by the process with pid {}\n", cli.dir().display(), child.id());
        assert_eq!((code, stderr), (1, expected));
        signal(&child, Signal::INT);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn following_ends_when_nothing_came_for_the_timeout() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\n");
    assert_eq!(cli.ok(&["consume", "t", "--from-beginning", "--follow", "--timeout-ms", "10"], b""), b"a\n");
}

// Topics.

#[test]
fn topics_are_described_as_kafka_does() {
    let cli = Cli::new();
    let create = ["topic", "create", "t", "--partitions", "2", "--config", "retention.ms=1000"];
    assert_eq!(cli.text(&[&create[..], &["--config", "segment.bytes=1048576"]].concat()), "Created topic t.\n");
    let text = cli.text(&["topic", "describe", "t"]);
    let id = text.split("\tTopicId: ").nth(1).unwrap().split('\t').next().unwrap();
    assert_eq!(id.len(), 22);
    let configs = "retention.ms=1000,segment.bytes=1048576";
    let expected = format!(
        "Topic: t\tTopicId: {id}\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: {configs}\n\
         \tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \n\
         \tTopic: t\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \n"
    );
    assert_eq!(text, expected);
    assert_eq!(cli.text(&["topic", "describe"]), expected);
}

#[test]
fn topics_are_created_listed_and_deleted() {
    let cli = Cli::new();
    for name in ["b", "a"] {
        cli.ok(&["topic", "create", name], b"");
    }
    assert_eq!(cli.text(&["topic", "list"]), "a\nb\n");
    assert_eq!(cli.text(&["topic", "delete", "a"]), "");
    assert_eq!(cli.text(&["topic", "list"]), "b\n");
}

// Dumps.

/// A segment from batches that Kafka wrote, which take their base offsets from here: no CRC covers them.
fn segment_of(dir: &Path, batches: &[(&str, i64)]) -> PathBuf {
    let mut segment = Vec::new();
    for (name, base_offset) in batches {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let mut batch = fs::read(golden).unwrap();
        batch[..8].copy_from_slice(&base_offset.to_be_bytes());
        segment.extend(batch);
    }
    let path = dir.join(format!("{:020}.log", batches[0].1));
    fs::write(&path, segment).unwrap();
    path
}

const BATCHES: [(&str, i64); 3] =
    [("none/idempotent.batch", 10), ("gzip/keyed.batch", 12), ("none/end_commit.batch", 15)];
const BATCH_LINES: [&str; 3] = [
    "baseOffset: 10 lastOffset: 11 count: 2 baseSequence: 7 lastSequence: 8 producerId: 4000 producerEpoch: 2 \
     partitionLeaderEpoch: 3 isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty \
     position: 0 CreateTime: 1700000000001 size: 79 magic: 2 compresscodec: none crc: 698741983 isvalid: true\n",
    "baseOffset: 12 lastOffset: 14 count: 3 baseSequence: -1 lastSequence: -1 producerId: -1 producerEpoch: -1 \
     partitionLeaderEpoch: 3 isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty \
     position: 79 CreateTime: 1700000001000 size: 187 magic: 2 compresscodec: gzip crc: 1243916161 isvalid: true\n",
    "baseOffset: 15 lastOffset: 15 count: 1 baseSequence: -1 lastSequence: -1 producerId: 4000 producerEpoch: 2 \
     partitionLeaderEpoch: 3 isTransactional: true isControl: true deleteHorizonMs: OptionalLong.empty \
     position: 266 CreateTime: 1700000000100 size: 78 magic: 2 compresscodec: none crc: 1982115980 isvalid: true\n",
];
const RECORD_LINES: [&str; 3] = [
    "| offset: 10 CreateTime: 1700000000000 keySize: 1 valueSize: 1 sequence: 7 headerKeys: [] key: a payload: 1\n\
     | offset: 11 CreateTime: 1700000000001 keySize: 1 valueSize: 1 sequence: 8 headerKeys: [] key: b payload: 2\n",
    "| offset: 12 CreateTime: 1700000000000 keySize: 2 valueSize: 5 sequence: -1 headerKeys: [h] key: k1 \
     payload: hello\n\
     | offset: 13 CreateTime: 1700000000005 keySize: 2 valueSize: 6 sequence: -1 \
     headerKeys: [trace,trace,,größe] key: k2 payload: wörld\n\
     | offset: 14 CreateTime: 1700000001000 keySize: 2 valueSize: 5 sequence: -1 headerKeys: [] key: k1 \
     payload: again\n",
    "| offset: 15 CreateTime: 1700000000100 keySize: 4 valueSize: 6 sequence: -1 headerKeys: [] \
     endTxnMarker: COMMIT coordinatorEpoch: 5\n",
];

fn dump_head(path: &Path) -> String {
    format!("Dumping {}\nLog starting offset: 10\n", path.display())
}

#[test]
fn a_dump_shows_what_kafka_wrote_as_kafka_does() {
    let cli = Cli::new();
    let path = segment_of(cli.temporary.path(), &BATCHES);
    let args = ["log", "dump", path.to_str().unwrap()];
    assert_eq!(cli.text(&args), dump_head(&path) + &BATCH_LINES.concat());
    let with_records = BATCH_LINES.into_iter().zip(RECORD_LINES).flat_map(|(batch, records)| [batch, records]);
    assert_eq!(cli.text(&[&args[..], &["--records"]].concat()), dump_head(&path) + &with_records.collect::<String>());
    let from = cli.text(&[&args[..], &["--offset", "13"]].concat());
    assert_eq!(from, dump_head(&path) + &BATCH_LINES[1..].concat());
}

#[test]
fn a_dump_shows_where_a_byte_is_flipped_and_goes_on() {
    let cli = Cli::new();
    let path = segment_of(cli.temporary.path(), &BATCHES);
    let mut bytes = fs::read(&path).unwrap();
    // In the records of the second batch.
    bytes[79 + 70] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let output = cli.run(&["log", "dump", path.to_str().unwrap()], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (shown, damage) = stdout.split_once("DAMAGED position: 79: the CRC is 0x4a24a781 and should be ").unwrap();
    assert_eq!(shown, dump_head(&path) + BATCH_LINES[0] + &BATCH_LINES[1].replace("true\n", "false\n"));
    assert_eq!(damage.split_once('\n').unwrap().1, BATCH_LINES[2]);
    assert_eq!((output.status.code(), &*output.stderr), (Some(1), &b"error: 1 place is damaged\n"[..]));
}

#[test]
fn a_dump_finds_the_way_again_after_a_damaged_length_and_at_a_torn_end() {
    let cli = Cli::new();
    let path = segment_of(cli.temporary.path(), &BATCHES);
    let mut bytes = fs::read(&path).unwrap();
    bytes[79 + 8..79 + 12].copy_from_slice(&i32::MAX.to_be_bytes());
    bytes.extend_from_slice(&[7; 100]);
    fs::write(&path, &bytes).unwrap();
    let output = cli.run(&["log", "dump", path.to_str().unwrap()], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = stdout.split_inclusive('\n').collect();
    let cut = "2147483659 bytes are needed and 365 are there; 187 bytes can't be read";
    assert_eq!(lines[2..4].concat(), format!("{}DAMAGED position: 79: {cut}\n", BATCH_LINES[0]));
    assert_eq!(lines[4], BATCH_LINES[2]);
    assert!(lines[5].starts_with("DAMAGED position: 344: ") && lines[5].ends_with("; 100 bytes can't be read\n"));
    assert_eq!((output.status.code(), &*output.stderr), (Some(1), &b"error: 2 places are damaged\n"[..]));
}

#[test]
fn a_dump_shows_offsets_out_of_order_and_reserved_space() {
    let cli = Cli::new();
    let batches = [BATCHES[0], ("none/end_commit.batch", 9), ("none/end_abort.batch", 12)];
    let path = segment_of(cli.temporary.path(), &batches);
    let mut bytes = fs::read(&path).unwrap();
    bytes.resize(4096, 0);
    fs::write(&path, &bytes).unwrap();
    let output = cli.run(&["log", "dump", path.to_str().unwrap()], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("DAMAGED position: 79: base offset 9 where 12 or more should be\nbaseOffset: 12 "));
    let reserved = "Found 3861 bytes of reserved space at the end of 00000000000000000010.log\n";
    assert!(stdout.ends_with(reserved), "{stdout}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_dump_shows_indexes() {
    let cli = Cli::new();
    let entries = [[0, 0, 0, 5, 0, 0, 1, 0], [0, 0, 0, 9, 0, 0, 2, 0], [0; 8]].concat();
    let index = cli.temporary.path().join("00000000000000000100.index");
    fs::write(&index, entries).unwrap();
    let text = cli.text(&["log", "dump", index.to_str().unwrap()]);
    let expected = "offset: 105 position: 256\noffset: 109 position: 512\n";
    assert_eq!(text, format!("Dumping {}\n{expected}", index.display()));

    let times = cli.temporary.path().join("00000000000000000100.timeindex");
    fs::write(&times, [[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 5], [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 6]].concat()).unwrap();
    let output = cli.run(&["log", "dump", times.to_str().unwrap()], b"");
    let expected = "timestamp: 256 offset: 105\ntimestamp: 256 offset: 106\n\
                    DAMAGED position: 12: timestamps of an index must rise, and offsets must not fall\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("Dumping {}\n{expected}", times.display()));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_dump_of_a_partition_shows_all_its_segments() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--config", "segment.bytes=1048576"], b"");
    cli.ok(&["produce", "t", "--config", "batch.size=16384"], &numbered_lines(3 << 20));
    let text = cli.text(&["log", "dump", cli.dir().join("t-0").to_str().unwrap()]);
    assert!(text.matches("Dumping ").count() > 3, "{text}");
    let mut next = 0;
    for line in text.lines().filter(|line| line.starts_with("baseOffset: ")) {
        let mut words = line.split(' ');
        assert_eq!(words.nth(1), Some(&*next.to_string()));
        next = words.nth(1).unwrap().parse::<u64>().unwrap() + 1;
    }
    assert!(next > 0);
}

// Refusals.

#[test]
fn errors_are_one_line_and_their_exit_code_tells_usage_from_failure() {
    let cli = Cli::with_topic();
    let absent = cli.temporary.path().join("absent");
    let absent = absent.to_str().unwrap();
    let no_topic = "error: topic nope does not exist: `esker topic create nope` creates it\n";
    let cases: [(&[&str], i32, &str); 12] = [
        (&["produce", "nope"], 1, no_topic),
        (&["consume", "nope"], 1, no_topic),
        (&["topic", "describe", "nope"], 1, no_topic),
        (&["topic", "delete", "nope"], 1, no_topic),
        (&["topic", "create", "t"], 1, "error: topic t already exists\n"),
        (&["produce", "t", "--partition", "1"], 1, "error: unknown topic or partition t-1\n"),
        (&["consume", "t", "--partition", "1"], 1, "error: unknown topic or partition t-1\n"),
        (&["consume", "t", "--group", ""], 1, "error: invalid group id \"\": it must not be empty\n"),
        (
            &["topic", "create", "x", "--config", "segment.bytes=1"],
            2,
            "error: invalid config segment.bytes = \"1\": expected a number from 1048576 to 2147483647\n",
        ),
        (
            &["produce", "t", "--config", "batch.size=x"],
            2,
            "error: invalid config batch.size = \"x\": expected a number from 0 up\n",
        ),
        (
            &["consume", "t", "--partition", "0", "--partition", "0", "--offset", "-1"],
            2,
            "error: unexpected argument '-1' found",
        ),
        (&["frobnicate"], 2, "error: unrecognized subcommand 'frobnicate'"),
    ];
    for (args, code, text) in cases {
        let (actual_code, stderr) = cli.failure(args, b"");
        assert_eq!(actual_code, code, "{args:?}: {stderr}");
        assert!(stderr.starts_with(text) && (code == 2 || stderr == text), "{args:?}: {stderr}");
    }

    let (code, stderr) = cli.failure(&["topic", "list", "--dir", absent], b"");
    let expected = format!("error: {absent} is not a data directory: `esker topic create` makes one\n");
    assert_eq!((code, stderr), (1, expected));
    assert!(!Path::new(absent).exists());
    let (code, stderr) = cli.failure(&["produce", "t", "--file", absent], b"");
    assert!(code == 1 && stderr.starts_with(&format!("error: cannot open {absent}: ")), "{stderr}");
    let (code, stderr) = cli.failure(&["log", "dump", absent], b"");
    assert!(code == 1 && stderr.ends_with("is not named like a segment's .log, .index or .timeindex\n"), "{stderr}");
}

#[test]
fn without_a_directory_nothing_is_assumed() {
    let cli = Cli::new();
    let output = cli.command(&["topic", "create", "t"]).env_remove("ESKER_DIR").output().unwrap();
    let expected = "error: no data directory: give --dir DIR or set ESKER_DIR\n";
    assert_eq!((output.status.code(), &*output.stderr), (Some(2), expected.as_bytes()));
}

#[test]
fn a_line_without_a_key_is_named_and_the_ones_before_it_are_written() {
    let cli = Cli::with_topic();
    let (code, stderr) = cli.failure(&["produce", "t", "--key-separator", ":"], b"a:1\nb:2\nc3\nd:4\n");
    assert_eq!((code, &*stderr), (1, "error: line 3 has no key: there is no \":\" in it\n"));
    assert_eq!(cli.ok(&CONSUME, b""), b"1\n2\n");
}

#[test]
fn a_line_that_no_batch_can_hold_is_named() {
    let cli = Cli::with_topic();
    let input = [b"short\n".to_vec(), vec![b'x'; 2_000_000], b"\n".to_vec()].concat();
    let (code, stderr) = cli.failure(&["produce", "t"], &input);
    let expected = "error: line 2 was not written: a batch of 2000074 bytes is over max.message.bytes = 1048588\n";
    assert_eq!((code, &*stderr), (1, expected));
    assert_eq!(cli.ok(&CONSUME, b""), b"short\n");
    cli.ok(&["topic", "create", "large", "--config", "max.message.bytes=3000000"], b"");
    cli.ok(&["produce", "large"], &input);
    assert!(cli.ok(&["consume", "large", "--from-beginning"], b"") == input);
}

#[test]
fn reading_from_the_end_says_that_there_is_nothing_to_read() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\n");
    let output = cli.run(&["consume", "t"], b"");
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("note: this starts at the end"));
}

#[test]
fn damage_is_an_error_that_tells_how_to_go_on() {
    let cli = Cli::with_topic();
    for value in [b"first\n", b"lost!\n", b"third\n"] {
        cli.ok(&["produce", "t"], value);
    }
    let log = cli.dir().join("t-0/00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.windows(5).position(|window| window == b"lost!").unwrap();
    bytes[at] ^= 1;
    fs::write(&log, bytes).unwrap();
    let output = cli.run(&CONSUME, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b"first\n"[..]), "{stderr}");
    assert!(stderr.starts_with("error: t is damaged (the records after that begin at --offset 2): "), "{stderr}");
    assert_eq!(cli.ok(&["consume", "t", "--offset", "2"], b""), b"third\n");
}

#[test]
fn what_a_recovery_cut_off_is_a_warning() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"kept\n");
    let log = cli.dir().join("t-0/00000000000000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend_from_slice(b"torn");
    fs::write(&log, bytes).unwrap();
    // As a crash leaves it.
    fs::remove_file(cli.dir().join(".kafka_cleanshutdown")).unwrap();
    let output = cli.run(&CONSUME, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"kept\n"[..]));
    assert!(stderr.starts_with("warning: t-0: cut 4 bytes off 00000000000000000000.log at 72, kept as "), "{stderr}");
    assert_eq!(cli.ok(&CONSUME, b""), b"kept\n", "a warning is given once");
}
