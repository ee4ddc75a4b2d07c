//! What is different on a terminal: questions and progress bars.
#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Child;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{Cli, numbered_lines};

/// A command whose stdin and stderr are a terminal, and the other end of that.
struct OnTerminal {
    child: Child,
    terminal: File,
    /// What was shown.
    shown: String,
}

impl OnTerminal {
    fn start(cli: &Cli, args: &[&str]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let open = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let child = cli.command(args).env("TERM", "xterm").stdin(open()).stderr(open()).spawn().unwrap();
        Self { child, terminal: File::from(terminal), shown: String::new() }
    }

    fn wait_for(&mut self, text: &str) {
        while !self.shown.contains(text) {
            let mut bytes = [0; 1024];
            let len = self.terminal.read(&mut bytes).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(&bytes[..len]));
        }
    }

    fn answer(&mut self, line: &str) {
        self.terminal.write_all(line.as_bytes()).unwrap();
    }

    /// The exit code, and what was shown in all.
    fn end(mut self) -> (Option<i32>, String) {
        let mut bytes = [0; 1024];
        // Reading fails once nobody has the other end open.
        while let Ok(len) = self.terminal.read(&mut bytes) {
            if len == 0 {
                break;
            }
            self.shown.push_str(&String::from_utf8_lossy(&bytes[..len]));
        }
        (self.child.wait().unwrap().code(), self.shown)
    }
}

#[test]
fn what_can_not_be_undone_is_asked_about() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\nb\nc\n");
    cli.ok(&["consume", "t", "--group", "g"], b"");
    let questions: [(&[&str], &str); 4] = [
        (&["topic", "delete-records", "t", "0:2"], "Delete the records of 2 offsets in 1 partitions? [y/N] "),
        (&["group", "delete-offsets", "g", "--topic", "t"], "Delete what g has committed for 1 partitions? [y/N] "),
        (&["group", "delete", "g"], "Delete g with all that is committed? [y/N] "),
        (&["topic", "delete", "t"], "Delete topic t with all its records? [y/N] "),
    ];
    let state = || (cli.text(&["topic", "describe", "--offsets"]), cli.text(&["group", "describe"]));
    let before = state();
    for (args, question) in questions {
        for answer in ["n\n", "\n", "what\n"] {
            let mut command = OnTerminal::start(&cli, args);
            command.wait_for(question);
            command.answer(answer);
            let (code, shown) = command.end();
            assert!(code == Some(1) && shown.contains("error: not confirmed, so nothing was changed"), "{shown}");
        }
    }
    assert_eq!(state(), before);
    let mut command = OnTerminal::start(&cli, questions[0].0);
    command.wait_for(questions[0].1);
    command.answer("y\n");
    assert_eq!(command.end().0, Some(0));
    assert_eq!(cli.ok(&["consume", "t", "--from-beginning"], b""), b"c\n");
    let (code, shown) = OnTerminal::start(&cli, &["topic", "delete", "t", "--yes"]).end();
    assert_eq!((code, &*shown), (Some(0), ""));
    assert!(!cli.text(&["topic", "list"]).contains("t\n"));
}

#[test]
fn long_work_shows_how_far_it_is_and_then_clears_that() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], &numbered_lines(1 << 20));
    let (code, shown) = OnTerminal::start(&cli, &["log", "verify"]).end();
    assert!(code == Some(0) && shown.contains("verifying [") && shown.contains(" left"), "{shown:?}");
    let last = shown.rsplit('\r').find(|line| !line.trim().is_empty()).unwrap();
    assert!(last.contains("verified: "), "{shown:?}");
    // Nothing in it is in colour.
    assert!(!shown.contains("\x1b[3") && !shown.contains("\x1b[1m"), "{shown:?}");
}
