//! What becomes of a topic while somebody follows it, on a directory and over the network.

use std::io::{BufRead, BufReader};

use crate::remote::Both;

#[test]
fn partitions_that_are_added_are_read_from_their_beginning() {
    let mut both = Both::new();
    both.create(&["t"]);
    both.ok(&["produce", "t"], b"consumed\n");
    both.ok(&["consume", "t", "--group", "g", "--from-beginning"], b"");
    both.ok(&["produce", "t"], b"next\n");
    for side in &both.sides {
        // Begins at the end where the group has committed nothing.
        let follow = ["consume", "t", "--group", "g", "--no-commit", "--follow", "--max-messages", "3"];
        let mut child = side.command(&follow).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("next"));
        side.run(&["topic", "alter", "t", "--partitions", "3"], b"");
        side.run(&["produce", "t", "--partition", "2"], b"added\n");
        assert_eq!(lines.next().as_deref(), Some("added"));
        side.run(&["produce", "t", "--partition", "0"], b"as before\n");
        assert_eq!(lines.next().as_deref(), Some("as before"));
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    }
}

#[test]
fn partitions_that_are_named_are_read_alone() {
    let mut both = Both::new();
    both.create(&["t"]);
    both.ok(&["produce", "t"], b"first\n");
    for side in &both.sides {
        let follow = ["consume", "t", "--partition", "0", "--from-beginning", "--follow", "--timeout-ms", "2500"];
        let mut child = side.command(&follow).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("first"));
        side.run(&["topic", "alter", "t", "--partitions", "2"], b"");
        side.run(&["produce", "t", "--partition", "1"], b"added\n");
        assert_eq!(lines.next(), None);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn who_follows_a_topic_that_is_deleted_is_told() {
    let mut both = Both::new();
    both.create(&["t"]);
    both.ok(&["produce", "t"], b"first\n");
    for side in &both.sides {
        let mut child = side.command(&["consume", "t", "--from-beginning", "--follow"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("first"));
        side.run(&["topic", "delete", "t", "--yes"], b"");
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = "error: unknown topic or partition t";
        assert!(output.status.code() == Some(1) && stderr.starts_with(expected), "{stderr}");
    }
}
