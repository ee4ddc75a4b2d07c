//! Keys, values, headers and times: how they are read from lines, and how they are printed.

use std::fs;

use serde_json::json;

use crate::{CONSUME, Cli, numbered_lines};

/// What is printed of topic `t` with these options.
fn consumed(cli: &Cli, options: &[&str]) -> String {
    String::from_utf8(cli.ok(&[&CONSUME[..], options].concat(), b"")).unwrap()
}

#[test]
fn json_carries_everything_there_and_back() {
    let cli = Cli::with_topic();
    cli.ok(&["topic", "create", "copy"], b"");
    let lines = [
        r#"{"value":"text","key":"k","timestamp":1700000000000}"#,
        r#"{"value":{"base64":"//4A"},"key":{"base64":"/w=="},"timestamp":1}"#,
        r#"{"value":null,"key":"gone","timestamp":2}"#,
        r#"{"value":"","key":"","headers":[{"key":"h","value":"v"},{"key":"h","value":null},{"key":"","value":{"base64":"gA=="}}],"timestamp":3}"#,
        r#"{"value":"a\nb\"\\ \u00f6","timestamp":4}"#,
    ];
    cli.ok(&["produce", "t", "--format", "json"], lines.join("\n").as_bytes());
    let printed = consumed(&cli, &["--format", "json"]);
    let first = r#"{"topic":"t","partition":0,"offset":0,"timestamp":1700000000000,"timestamp_type":"CreateTime","#;
    let rest = r#""leader_epoch":0,"key":"k","value":"text","headers":[]}"#;
    assert_eq!(printed.lines().next(), Some(&*format!("{first}{rest}")));
    let records: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[1]["key"], &records[1]["value"]), (&json!({"base64": "/w=="}), &json!({"base64": "//4A"})));
    assert_eq!((&records[2]["key"], &records[2]["value"]), (&json!("gone"), &json!(null)));
    let headers = json!([
        {"key": "h", "value": "v"}, {"key": "h", "value": null}, {"key": "", "value": {"base64": "gA=="}},
    ]);
    assert_eq!((&records[3]["headers"], &records[3]["key"], &records[3]["value"]), (&headers, &json!(""), &json!("")));
    assert_eq!((&records[4]["key"], &records[4]["value"]), (&json!(null), &json!("a\nb\"\\ ö")));

    // What was printed can be produced, and comes out the same.
    assert_eq!(consumed(&cli, &["--output", "json"]), printed);
    cli.ok(&["produce", "copy", "--format", "json"], printed.as_bytes());
    let copied = cli.ok(&["consume", "copy", "--from-beginning", "--format", "json"], b"");
    assert_eq!(String::from_utf8(copied).unwrap(), printed.replace(r#""topic":"t""#, r#""topic":"copy""#));
}

#[test]
fn every_codec_and_level_carries_every_format() {
    let cli = Cli::new();
    let json = r#"{"key":"k","value":{"base64":"AP8="},"headers":[{"key":"h","value":"v"}],"timestamp":5}"#;
    let formats = [
        ("value", "v", ["--format", "value"], "v\n"),
        ("key-value", "k\tv", ["--format", "key-value"], "k\tv\n"),
        ("json", json, ["--print", "key,headers,timestamp"], "CreateTime:5\th:v\tk\n"),
    ];
    let codecs = [("none", None), ("gzip", Some("9")), ("snappy", None), ("lz4", Some("17")), ("zstd", Some("-3"))];
    for (codec, level) in codecs {
        let level = level.map_or(Vec::new(), |level| vec!["--compression-level", level]);
        for (format, line, printing, expected) in formats {
            cli.ok(&["topic", "create", "t"], b"");
            let produce = ["produce", "t", "--format", format, "--compression", codec];
            cli.ok(&[&produce[..], &level].concat(), line.as_bytes());
            assert_eq!(consumed(&cli, &printing), expected, "{codec}");
            let dump = cli.text(&["log", "dump", cli.dir().join("t-0").to_str().unwrap()]);
            assert!(dump.contains(&format!("compresscodec: {codec} ")), "{dump}");
            cli.ok(&["topic", "delete", "t"], b"");
        }
    }
}

#[test]
fn a_level_makes_a_difference_and_has_its_range() {
    let cli = Cli::new();
    let input = numbered_lines(300_000);
    let mut sizes = Vec::new();
    for (topic, level) in [("fast", "1"), ("small", "19")] {
        cli.ok(&["topic", "create", topic], b"");
        cli.ok(&["produce", topic, "--compression", "zstd", "--compression-level", level], &input);
        sizes.push(cli.json(&["topic", "describe", topic])[0]["partitions"][0]["size_in_bytes"].as_u64().unwrap());
    }
    assert!(sizes[0] > sizes[1], "{sizes:?}");
    let refused = cli.failure(&["produce", "fast", "--compression", "gzip", "--compression-level", "10"], b"");
    assert_eq!(
        (refused.0, &*refused.1),
        (2, "error: invalid config compression.gzip.level = \"10\": expected 1 to 9, or -1\n")
    );
}

#[test]
fn lines_have_headers_keys_and_nulls_as_kafkas_console_producer_reads_them() {
    let cli = Cli::with_topic();
    let options = ["--parse-headers", "--format", "key-value", "--null-marker", "NULL"];
    let lines = b"a:1,b:x:y,a:NULL\tk\tv\nNULL\tNULL\tv\nNO_HEADERS\tk\tNULL\n:\t\t\n";
    cli.ok(&[&["produce", "t"], &options[..]].concat(), lines);
    let expected = "a:1,b:x:y,a:null\tk\tv\nNO_HEADERS\tnull\tv\nNO_HEADERS\tk\tnull\n:\t\t\n";
    assert_eq!(consumed(&cli, &["--print", "headers,key,value"]), expected);
    let marked = consumed(&cli, &["--print", "headers,key,value", "--null-literal", "NULL"]);
    cli.ok(&["topic", "create", "copy"], b"");
    cli.ok(&[&["produce", "copy"], &options[..]].concat(), marked.as_bytes());
    let copied = cli.ok(&["consume", "copy", "--from-beginning", "--print", "headers,key,value"], b"");
    assert_eq!(String::from_utf8(copied).unwrap(), expected);

    let separators = ["--headers-delimiter", "|", "--headers-separator", ";", "--headers-key-separator", "="];
    cli.ok(&[&["produce", "t", "--parse-headers"], &separators[..]].concat(), b"a=1;b=2|v");
    let after = ["consume", "t", "--offset", "4", "--print", "headers,value", "--headers-separator", " "];
    assert_eq!(cli.ok(&after, b""), b"a:1 b:2\tv\n");
}

#[test]
fn what_all_records_have_can_be_given_once() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--partitions", "2"], b"");
    let common = ["--key", "k", "--header", "a=1", "--header", "b=", "--timestamp", "2023-11-14T22:13:20.123"];
    cli.ok(&[&["produce", "t", "--partition", "1"], &common[..]].concat(), b"v\n");
    let all = ["--print", "timestamp,partition,offset,epoch,headers,key,value", "--key-separator", " "];
    assert_eq!(consumed(&cli, &all), "CreateTime:1700000000123 Partition:1 Offset:0 Epoch:0 a:1,b: k v\n");
    let own = br#"{"key":"own","value":"v","timestamp":7,"headers":[{"key":"c","value":"3"}],"partition":1}"#;
    let json = ["produce", "t", "--format", "json", "--keep-partition"];
    cli.ok(&[&json[..], &common[..]].concat(), own);
    assert_eq!(consumed(&cli, &all).lines().nth(1), Some("CreateTime:7 Partition:1 Offset:1 Epoch:0 a:1,b:,c:3 own v"));
}

#[test]
fn separators_may_be_what_can_not_be_typed() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t", "--key-separator", r"\0"], b"k\0v\nl\0w\n");
    assert_eq!(consumed(&cli, &["--print-key", "--key-separator", r"\\", "--line-separator", r"\0"]), "k\\v\0l\\w\0");
    assert_eq!(consumed(&cli, &["--line-separator", ""]), "vw");
}

#[test]
fn reading_starts_where_it_is_told() {
    let cli = Cli::with_topic();
    let lines: Vec<String> = (0..5).map(|n| format!(r#"{{"value":"{n}","timestamp":{}}}"#, 1000 * n)).collect();
    cli.ok(&["produce", "t", "--format", "json"], lines.join("\n").as_bytes());
    let cases: [(&[&str], &str); 7] = [
        (&["--offset", "earliest", "--max-messages", "2"], "0\n1\n"),
        (&["--offset", "latest"], ""),
        (&["--offset", "4", "--until-end"], "4\n"),
        (&["--timestamp", "2500"], "3\n4\n"),
        (&["--timestamp", "1970-01-01T00:00:04Z"], "4\n"),
        (&["--timestamp", "1970-01-01T00:00:04.001"], ""),
        (&["--from-beginning", "--isolation-level", "read_committed"], "0\n1\n2\n3\n4\n"),
    ];
    for (args, expected) in cases {
        assert_eq!(cli.text(&[&["consume", "t"], args].concat()), expected, "{args:?}");
    }
}

#[test]
fn a_group_that_does_not_commit_stays_where_it_is() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"1\n2\n3\n");
    let group = ["consume", "t", "--group", "g", "--from-beginning"];
    assert_eq!(cli.ok(&[&group[..], &["--max-messages", "1"]].concat(), b""), b"1\n");
    let peek = [&group[..], &["--no-commit"]].concat();
    assert_eq!(cli.ok(&peek, b""), b"2\n3\n");
    assert_eq!(cli.ok(&[&peek[..], &["--read-only"]].concat(), b""), b"2\n3\n");
    assert_eq!(cli.ok(&group, b""), b"2\n3\n");
    // Whatever was committed.
    assert_eq!(cli.ok(&["consume", "t", "--group", "g", "--offset", "earliest"], b""), b"1\n2\n3\n");
}

#[test]
fn options_of_a_producer_have_their_ranges() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t", "--batch-size", "1", "--linger-ms", "0", "--idempotence", "false"], b"a\nb\n");
    let dump = cli.text(&["log", "dump", cli.dir().join("t-0").to_str().unwrap()]);
    assert_eq!(dump.matches("count: 1 baseSequence: -1").count(), 2, "{dump}");
    let refusals: [(&[&str], &str); 7] = [
        (&["--acks", "1", "--idempotence", "true"], "error: invalid config enable.idempotence = \"true\": "),
        (&["--acks", "2"], "error: invalid value '2' for '--acks <0|1|all>': "),
        (&["--compression", "brotli"], "error: invalid value 'brotli' for '--compression <CODEC>': "),
        (&["--compression-level", "3"], "error: the following required arguments were not provided:"),
        (
            &["--format", "json", "--key-separator", ","],
            "error: --key-separator, --parse-headers and --null-marker say",
        ),
        (&["--format", "value", "--key-separator", ","], "error: --key-separator needs --format key-value\n"),
        (&["--keep-partition"], "error: --keep-partition needs --format json\n"),
    ];
    for (args, text) in refusals {
        let (code, stderr) = cli.failure(&[&["produce", "t"], args].concat(), b"");
        assert!(code == 2 && stderr.starts_with(text), "{args:?}: {code} {stderr}");
    }
}

#[test]
fn lines_that_are_no_records_are_named() {
    let cli = Cli::with_topic();
    let cases: [(&[&str], &[u8], &str); 6] = [
        (
            &["--format", "json"],
            b"{\"value\":\"a\"}\n{\"vlaue\":\"b\"}",
            "line 2 is no record as JSON: unknown field `vlaue`",
        ),
        (&["--format", "json"], b"nonsense", "line 1 is no record as JSON: expected ident at line 1 column 2\n"),
        (&["--format", "json"], b"\n", "line 1 is no record as JSON: EOF while parsing a value at line 1 column 0\n"),
        (&["--parse-headers"], b"v", "line 1 has no headers: there is no \"\\t\" in it\n"),
        (&["--parse-headers"], b"h\tv", "line 1 has a header without a value: there is no \":\" in it\n"),
        (&["--parse-headers"], b"\xff:1\tv", "line 1 has a header whose key is no UTF-8\n"),
    ];
    for (args, input, text) in cases {
        let (code, stderr) = cli.failure(&[&["produce", "t"], args].concat(), input);
        assert!(code == 1 && stderr.starts_with(&format!("error: {text}")), "{args:?}: {stderr}");
    }
    assert_eq!(cli.ok(&CONSUME, b""), b"a\n", "the lines before it are written");
}

#[test]
fn producing_tells_how_many_records_it_wrote() {
    let cli = Cli::with_topic();
    let file = cli.temporary.path().join("input");
    fs::write(&file, "a\nb\n").unwrap();
    let row = cli.json(&["produce", "t", "--file", file.to_str().unwrap()]);
    assert_eq!(row, [json!({"topic": "t", "records": 2})]);
    let output = cli.run(&["produce", "t", "--verbose"], b"c\n");
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b"produced: 1 records to t\n"[..]));
}
