//! Groups: consuming for one, and looking after what it has committed.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::json;

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

/// A topic `t` of two partitions with the values 0 to 3 in each, of which the group `g` has read two each.
fn with_group() -> Cli {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--partitions", "2"], b"");
    for partition in ["0", "1"] {
        cli.ok(&["produce", "t", "--partition", partition], b"0\n1\n2\n3\n");
        let consume = ["consume", "t", "--partition", partition, "--group", "g", "--from-beginning"];
        cli.ok(&[&consume[..], &["--max-messages", "2"]].concat(), b"");
    }
    cli
}

/// What group `g` has committed for the partitions of `t`.
fn committed(cli: &Cli) -> Vec<(u64, i64)> {
    let of = |row: &serde_json::Value| (row["partition"].as_u64().unwrap(), row["current_offset"].as_i64().unwrap());
    cli.json(&["group", "describe", "g"]).iter().map(of).collect()
}

#[test]
fn groups_are_listed_and_described_with_their_lag() {
    let cli = with_group();
    cli.ok(&["consume", "t", "--group", "another"], b"");
    assert_eq!(cli.text(&["group", "list"]), "another\ng\n");
    assert_eq!(cli.json(&["group", "list"]), [json!({"group": "another"}), json!({"group": "g"})]);
    let expected = "GROUP  TOPIC  PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID  HOST  CLIENT-ID\n\
                    g      t      0          2               4               2    -            -     -\n\
                    g      t      1          2               4               2    -            -     -\n";
    assert_eq!(cli.text(&["group", "describe", "g"]), expected);
    let expected = "GROUP  ASSIGNMENT-STRATEGY  STATE  #MEMBERS\n\
                    g      -                    Empty  0\n";
    assert_eq!(cli.text(&["group", "describe", "g", "--state"]), expected);
    assert_eq!(cli.text(&["group", "describe", "g", "--members"]), "");
    let all = cli.json(&["group", "describe"]);
    assert_eq!(all.len(), 4);
    let row = &all[3];
    let expected = json!({
        "group": "g", "topic": "t", "partition": 1, "current_offset": 2, "log_start_offset": 0, "log_end_offset": 4,
        "lag": 2, "leader_epoch": 0, "metadata": "", "commit_timestamp": row["commit_timestamp"],
        "consumer_id": null, "host": null, "client_id": null,
    });
    assert_eq!(*row, expected);
    let (code, stderr) = cli.failure(&["group", "describe", "nope"], b"");
    let expected = "error: there is no group \"nope\": it has no committed offsets\nhint: `esker group list` names ";
    assert!(code == 1 && stderr.starts_with(expected), "{stderr}");
}

#[test]
fn a_reset_is_a_plan_until_it_is_executed() {
    let cli = with_group();
    let reset = ["group", "reset-offsets", "g", "--topic", "t", "--to-earliest"];
    let output = cli.run(&reset, b"");
    let expected = "GROUP  TOPIC  PARTITION  CURRENT-OFFSET  NEW-OFFSET\n\
                    g      t      0          2               0\n\
                    g      t      1          2               0\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "note: nothing was committed: --execute does that\n");
    assert_eq!(committed(&cli), [(0, 2), (1, 2)]);
    assert_eq!(cli.text(&[&reset[..], &["--execute"]].concat()), expected);
    assert_eq!(committed(&cli), [(0, 0), (1, 0)]);
}

#[test]
fn a_reset_goes_where_it_is_told() {
    let cli = with_group();
    let future = "2200-01-01T00:00:00";
    let cases: [(&[&str], [i64; 2]); 10] = [
        (&["--topic", "t", "--to-latest"], [4, 4]),
        (&["--topic", "t:1", "--to-offset", "3"], [4, 3]),
        (&["--all-topics", "--shift-by", "-2"], [2, 1]),
        (&["--all-topics", "--shift-by", "1"], [3, 2]),
        (&["--topic", "t:0", "--to-current"], [3, 2]),
        (&["--topic", "t:0", "--topic", "t:1", "--to-offset", "99"], [4, 4]),
        (&["--topic", "t", "--to-datetime", "0"], [0, 0]),
        (&["--topic", "t:0,1", "--to-datetime", future], [4, 4]),
        (&["--topic", "t", "--by-duration", "P7D"], [0, 0]),
        (&["--topic", "t", "--by-duration", "PT0S"], [4, 4]),
    ];
    for (args, expected) in cases {
        let execute = [&["group", "reset-offsets", "g"], args, &["--execute"]].concat();
        cli.ok(&execute, b"");
        assert_eq!(committed(&cli), [(0, expected[0]), (1, expected[1])], "{args:?}");
    }
    let refusals: [(&[&str], i32, &str); 7] = [
        (&["--topic", "t"], 2, "error: the following required arguments"),
        (&["--to-latest"], 2, "error: the following required arguments"),
        (&["--topic", "t", "--to-latest", "--to-earliest"], 2, "error: the argument '--to-latest' cannot be used with"),
        (&["--topic", "t", "--to-datetime", "noon"], 2, "error: invalid value 'noon' for '--to-datetime <TIME>': "),
        (&["--topic", "nope", "--to-latest"], 1, "error: topic nope does not exist: "),
        (&["--topic", "t:2", "--to-latest"], 1, "error: t has no partition 2: it has partitions 0 to 1\n"),
        (&["--topic", "t:x", "--to-latest"], 2, "error: invalid value 't:x' for '--topic <TOPIC[:N,N]>': "),
    ];
    for (args, code, text) in refusals {
        let (actual, stderr) = cli.failure(&[&["group", "reset-offsets", "g"], args].concat(), b"");
        assert!(actual == code && stderr.starts_with(text), "{args:?}: {actual} {stderr}");
    }
    let (code, stderr) = cli.failure(&["group", "reset-offsets", "new", "--topic", "t", "--shift-by", "1"], b"");
    assert!(code == 1 && stderr.contains("no committed offset for t-0") && stderr.contains("\nhint: reset it with "));
}

#[test]
fn an_exported_plan_can_be_carried_out_later() {
    let cli = with_group();
    let export = ["group", "reset-offsets", "g", "--all-topics", "--to-current", "--export"];
    let csv = cli.ok(&export, b"");
    assert_eq!(csv, b"t,0,2\nt,1,2\n");
    let file = cli.temporary.path().join("plan.csv");
    std::fs::write(&file, csv).unwrap();
    cli.ok(&["group", "reset-offsets", "g", "--topic", "t", "--to-latest", "--execute"], b"");
    let from_file = ["group", "reset-offsets", "g", "--from-file", file.to_str().unwrap(), "--execute"];
    let rows = cli.json(&from_file);
    assert_eq!(rows[1], json!({"group": "g", "topic": "t", "partition": 1, "current_offset": 4, "new_offset": 2}));
    assert_eq!(committed(&cli), [(0, 2), (1, 2)]);

    cli.ok(&["group", "reset-offsets", "h", "--topic", "t:0", "--to-offset", "1", "--execute"], b"");
    let all = ["group", "reset-offsets", "--all-groups", "--all-topics", "--to-current", "--export"];
    assert_eq!(cli.text(&all), "g,t,0,2\ng,t,1,2\nh,t,0,1\n");

    std::fs::write(&file, "t,0\n").unwrap();
    let (code, stderr) = cli.failure(&from_file, b"");
    assert!(code == 1 && stderr.ends_with("plan.csv: line 1 is not topic,partition,offset: t,0\n"), "{stderr}");
    std::fs::write(&file, "other,t,0,1\n").unwrap();
    let (code, stderr) = cli.failure(&from_file, b"");
    assert!(code == 1 && stderr.ends_with("says nothing of group g\n"), "{stderr}");
}

#[test]
fn offsets_and_groups_are_deleted() {
    let cli = with_group();
    let rows = cli.json(&["group", "delete-offsets", "g", "--topic", "t:1"]);
    assert_eq!(rows, [json!({"group": "g", "topic": "t", "partition": 1})]);
    assert_eq!(committed(&cli), [(0, 2)]);
    let (code, stderr) = cli.failure(&["group", "delete-offsets", "g", "--topic", "t:1"], b"");
    assert_eq!((code, &*stderr), (1, "error: group g has committed nothing for that\n"));
    let (code, _) = cli.failure(&["group", "delete", "g", "nope"], b"");
    assert_eq!((code, &*cli.text(&["group", "list"])), (1, "g\n"), "none of them is deleted");
    assert_eq!(cli.text(&["group", "delete", "g"]), "");
    assert_eq!(cli.text(&["group", "list"]), "");
}

#[test]
fn configs_of_groups_are_altered_and_described() {
    let cli = with_group();
    let alter = ["group", "alter", "new", "--config", "consumer.session.timeout.ms=50000"];
    assert_eq!(cli.text(&alter), "Altered group new.\n");
    let expected = "GROUP  CONFIG                           VALUE  SOURCE\n\
                    g      consumer.assignment.interval.ms  0      DEFAULT_CONFIG\n\
                    g      consumer.heartbeat.interval.ms   5000   DEFAULT_CONFIG\n\
                    g      consumer.session.timeout.ms      45000  DEFAULT_CONFIG\n";
    assert_eq!(cli.text(&["group", "describe", "--configs"]), expected);
    let rows = cli.json(&["group", "describe", "new", "--configs", "--read-only"]);
    let session = &rows[2];
    assert_eq!((&session["value"], &session["source"]), (&json!("50000"), &json!("DYNAMIC_GROUP_CONFIG")));
    assert_eq!((&session["group"], &session["type"]), (&json!("new"), &json!("INT")));
    cli.ok(&["group", "alter", "new", "--delete-config", "consumer.session.timeout.ms"], b"");
    let rows = cli.json(&["group", "describe", "new", "--configs"]);
    assert!(rows.iter().all(|row| row["source"] == "DEFAULT_CONFIG"));
    for (args, text) in [
        (&[][..], "error: nothing to change: "),
        (&["--config", "consumer.session.timeout.ms=1"], "error: invalid config consumer.session.timeout.ms = "),
        (&["--config", "share.session.timeout.ms=1"], "error: config share.session.timeout.ms is Kafka's and has no "),
    ] {
        let (code, stderr) = cli.failure(&[&["group", "alter", "g"], args].concat(), b"");
        assert!(code == 2 && stderr.starts_with(text), "{args:?}: {stderr}");
    }
}

#[test]
fn who_follows_commits_what_was_printed_though_nothing_else_comes() {
    let cli = Cli::with_topic();
    cli.ok(&["produce", "t"], b"a\nb\n");
    let follow = ["consume", "t", "--follow", "--group", "g", "--from-beginning"];
    let mut child = cli.command(&follow).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_committed = || {
        let described = cli.run(&["group", "describe", "g", "--output", "json"], b"");
        String::from_utf8(described.stdout).unwrap().contains("\"current_offset\":2,")
    };
    while !is_committed() {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(100));
    }
    // It had no chance to commit at its end.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(cli.ok(&["consume", "t", "--group", "g"], b""), b"");
}
