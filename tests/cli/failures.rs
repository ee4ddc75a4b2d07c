//! Refusals: what they say, and with which exit code.

use std::fs;
use std::path::Path;

use crate::{CONSUME, Cli};

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

#[test]
fn errors_are_one_line_and_their_exit_code_tells_usage_from_failure() {
    let cli = Cli::with_topic();
    cli.ok(&["topic", "create", "three", "--partitions", "3"], b"");
    let absent = cli.temporary.path().join("absent");
    let absent = absent.to_str().unwrap();
    let no_topic = "error: topic nope does not exist: `esker topic create nope` creates it\n";
    let cases: [(&[&str], i32, &str); 15] = [
        (&["produce", "nope"], 1, no_topic),
        (&["consume", "nope"], 1, no_topic),
        (&["topic", "describe", "nope"], 1, no_topic),
        (&["topic", "delete", "nope"], 1, no_topic),
        (&["topic", "create", "t"], 1, "error: topic t already exists\n"),
        (&["produce", "t", "--partition", "1"], 1, "error: t has no partition 1: it has partition 0 alone\n"),
        (&["consume", "t", "--partition", "-1"], 1, "error: t has no partition -1: it has partition 0 alone\n"),
        (&["consume", "three", "--partition", "9"], 1, "error: three has no partition 9: it has partitions 0 to 2\n"),
        (&["consume", "t", "--group", ""], 1, "error: invalid group id \"\": it must have 1 to 32767 bytes\n"),
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
            "error: invalid value '-1' for '--offset <N|earliest|latest>': expected an offset, earliest or latest",
        ),
        (
            &["topic", "create", "x", "--partitions", "-1"],
            2,
            "error: invalid value '-1' for '--partitions <N>': -1 is not",
        ),
        (
            &["topic", "alter", "t", "--partitions", "-1"],
            1,
            "error: a topic can't have -1 partitions: the count is at least 2 here\n",
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
    let too_long = "x".repeat(300);
    let (code, stderr) = cli.failure(&["topic", "list", "--dir", &too_long], b"");
    assert!(code == 1 && stderr.starts_with(&format!("error: cannot look into {too_long}: ")), "{stderr}");
    let (code, stderr) = cli.failure(&["produce", "t", "--file", absent], b"");
    assert!(code == 1 && stderr.starts_with(&format!("error: cannot open {absent}: ")), "{stderr}");
    let (code, stderr) = cli.failure(&["log", "dump", absent], b"");
    assert!(
        code == 1 && stderr.ends_with("is not named like a .log, .index, .timeindex, .txnindex or .snapshot\n"),
        "{stderr}"
    );
}

#[test]
fn without_a_directory_nothing_is_assumed() {
    let cli = Cli::new();
    let output = cli.command(&["topic", "create", "t"]).env_remove("ESKER_DIR").output().unwrap();
    let expected = "error: no data directory: give --dir DIR or set ESKER_DIR\n";
    assert_eq!((output.status.code(), &*output.stderr), (Some(2), expected.as_bytes()));
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
