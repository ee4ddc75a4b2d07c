//! Commands beside a process that has the directory open.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin};

use crate::{CONSUME, Cli};

/// A process that has the directory open and writes what it is given.
struct Writer {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Writer {
    /// Returns once the directory is in use.
    fn start(cli: &Cli) -> Self {
        let mut child = cli.command(&["produce", "t", "--config", "linger.ms=0"]).spawn().unwrap();
        let stdin = child.stdin.take();
        let mut writer = Self { child, stdin };
        writer.write(b"first\n");
        while cli.run(&["consume", "t", "--from-beginning", "--read-only"], b"").stdout != b"first\n" {
            std::thread::yield_now();
        }
        writer
    }

    fn write(&mut self, lines: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(lines).unwrap();
    }

    /// How the errors that are due to this process begin.
    fn in_use(&self, cli: &Cli) -> String {
        format!("{} is in use by the process with pid {}\n", cli.dir().display(), self.child.id())
    }

    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn what_changes_something_is_refused_and_what_looks_is_not() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"");
    let writer = Writer::start(&cli);
    let in_use = writer.in_use(&cli);
    let to = cli.temporary.path().join("snapshot");
    let changing: [&[&str]; 8] = [
        &["produce", "t"],
        &["consume", "t", "--group", "g"],
        &["topic", "create", "u"],
        &["topic", "alter", "t", "--partitions", "2"],
        &["topic", "delete-records", "t", "0:0"],
        &["topic", "delete", "t"],
        &["group", "reset-offsets", "g", "--topic", "t", "--to-earliest", "--execute"],
        &["snapshot", to.to_str().unwrap()],
    ];
    for args in changing {
        let (code, stderr) = cli.failure(args, b"x\n");
        assert!(code == 1 && stderr.starts_with(&format!("error: {in_use}hint: wait ")), "{args:?}: {stderr}");
        assert_eq!(stderr.contains("--bootstrap-server"), args[0] != "snapshot", "{args:?}: {stderr}");
    }
    let looking: [(&[&str], &str); 5] = [
        (&["topic", "list"], "t\n"),
        (
            &["topic", "describe", "t", "--offsets"],
            "TOPIC  PARTITION  LOG-START  HIGH-WATERMARK  LOG-END  BYTES\nt      0          0          1               1        73\n",
        ),
        (&["group", "list"], ""),
        (
            &["group", "reset-offsets", "g", "--topic", "t", "--to-latest", "--dry-run"],
            "GROUP  TOPIC  PARTITION  CURRENT-OFFSET  NEW-OFFSET\ng      t      0          -               1\n",
        ),
        (&["consume", "t", "--from-beginning"], "first\n"),
    ];
    for (args, stdout) in looking {
        assert_eq!(cli.text(args), stdout, "{args:?}");
        let quietly = [args, &["--read-only"]].concat();
        if args[1] != "reset-offsets" {
            assert_eq!(String::from_utf8(cli.ok(&quietly, b"")).unwrap(), stdout, "{quietly:?}");
        }
    }
    writer.end();
}

#[test]
fn a_reader_follows_what_another_process_writes() {
    let cli = Cli::with_topic();
    let mut writer = Writer::start(&cli);
    let follow = ["consume", "t", "--from-beginning", "--read-only", "--follow", "--max-messages", "3"];
    let mut reader = cli.command(&follow).spawn().unwrap();
    let mut first = [0; 6];
    reader.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first\n");
    writer.write(b"second\nthird\n");
    let output = reader.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout, &*output.stderr), (Some(0), &b"second\nthird\n"[..], &b""[..]));
    writer.end();
}

#[test]
fn who_looks_keeps_nobody_from_writing() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"first\n");
    let mut reader = cli.command(&[&CONSUME[..], &["--follow", "--max-messages", "2"]].concat()).spawn().unwrap();
    let mut first = [0; 6];
    reader.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first\n");
    cli.ok(&["produce", "t"], b"second\n");
    let output = reader.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout, &*output.stderr), (Some(0), &b"second\n"[..], &b""[..]));
}

#[test]
fn what_a_crash_left_is_recovered_by_who_looks_first() {
    let cli = Cli::with_topic();
    let mut writer = Writer::start(&cli);
    writer.child.kill().unwrap();
    writer.child.wait().unwrap();
    let closed = cli.dir().join(".kafka_cleanshutdown");
    assert_eq!(cli.ok(&[&CONSUME[..], &["--read-only"]].concat(), b""), b"first\n");
    assert!(!closed.exists());
    assert_eq!(cli.ok(&CONSUME, b""), b"first\n");
    assert!(closed.exists());
}

#[test]
fn a_directory_without_a_writer_is_read_without_a_change() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\n");
    let contents = || {
        let entries = std::fs::read_dir(cli.dir()).unwrap().map(|entry| entry.unwrap());
        let mut found: Vec<_> =
            entries.map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap())).collect();
        found.sort();
        found
    };
    let before = contents();
    for how in [&[][..], &["--read-only"]] {
        assert_eq!(cli.ok(&[&CONSUME[..], how].concat(), b""), b"a\n");
        assert_eq!(cli.text(&[&["topic", "list"], how].concat()), "t\n");
    }
    assert_eq!(contents(), before);
}
