//! What goes in comes out: producing and consuming lines.

use std::fs;

use crate::{CONSUME, Cli, numbered_lines};

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
    let expected = "error: line 2 was not written: a batch of 2000074 bytes is over max.message.bytes = 1048588\n\
                    hint: raise it with `esker topic alter t --config max.message.bytes=N`\n";
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
    let cli = Cli::with_three_records();
    cli.damage_the_second();
    let output = cli.run(&CONSUME, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b"first\n"[..]), "{stderr}");
    assert!(stderr.starts_with("error: t is damaged (the records after that begin at --offset 2): "), "{stderr}");
    assert_eq!(cli.ok(&["consume", "t", "--offset", "2"], b""), b"third\n");
}

#[test]
fn following_ends_when_nothing_came_for_the_timeout() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\n");
    assert_eq!(cli.ok(&["consume", "t", "--from-beginning", "--follow", "--timeout-ms", "10"], b""), b"a\n");
}
