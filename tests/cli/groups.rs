//! Groups: consuming for one, and looking after what it has committed.

use std::io::{BufRead, BufReader};

use crate::{Cli, numbered_lines};

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
