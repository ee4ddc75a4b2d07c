//! Topics, and what they are configured to.

use serde_json::json;

use crate::Cli;

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

#[test]
fn topics_are_told_as_json() {
    let cli = Cli::new();
    let created = cli.json(&["topic", "create", "t", "--partitions", "2", "--config", "retention.ms=1000"]);
    let id = created[0]["id"].as_str().unwrap();
    assert_eq!(created, [json!({"topic": "t", "id": id, "partitions": 2})]);
    assert_eq!(cli.json(&["topic", "list"]), [json!({"topic": "t", "id": id, "partitions": 2, "internal": false})]);

    cli.ok(&["produce", "t", "--partition", "1"], b"a\nb\n");
    let described = &cli.json(&["topic", "describe", "t"])[0];
    let [topic, same_id, internal] = ["topic", "id", "internal"].map(|key| &described[key]);
    assert_eq!((topic, same_id, internal), (&json!("t"), &json!(id), &json!(false)));
    let partition = json!({
        "partition": 1, "leader": 1, "replicas": [1], "in_sync_replicas": [1], "log_start": 0, "high_watermark": 2,
        "log_end": 2, "size_in_bytes": described["partitions"][1]["size_in_bytes"],
    });
    assert_eq!(described["partitions"][1], partition);
    let retention = described["configs"].as_array().unwrap().iter().find(|config| config["name"] == "retention.ms");
    let retention = retention.unwrap();
    let source = json!("DYNAMIC_TOPIC_CONFIG");
    assert_eq!(
        (&retention["value"], &retention["source"], &retention["type"]),
        (&json!("1000"), &source, &json!("LONG"))
    );
    assert_eq!(retention["synonyms"][0], json!({"name": "retention.ms", "value": "1000", "source": source}));
}

#[test]
fn configs_are_shown_with_where_they_come_from() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--config", "retention.ms=1000"], b"");
    let text = cli.text(&["topic", "describe", "t", "--configs"]);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["TOPIC", "CONFIG", "VALUE", "SOURCE"]);
    assert!(rows.contains(&vec!["t", "retention.ms", "1000", "DYNAMIC_TOPIC_CONFIG"]), "{text}");
    assert!(rows.contains(&vec!["t", "cleanup.policy", "delete", "DEFAULT_CONFIG"]), "{text}");
    assert!(rows.len() > 20);
}

#[test]
fn topics_are_altered() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--config", "retention.ms=1000"], b"");
    let alter = ["topic", "alter", "t", "--partitions", "3", "--config", "segment.bytes=1048576"];
    let more = ["--delete-config", "retention.ms", "--append-config", "cleanup.policy=compact"];
    assert_eq!(cli.text(&[&alter[..], &more].concat()), "Altered topic t.\n");
    let text = cli.text(&["topic", "describe", "t"]);
    assert!(
        text.contains("PartitionCount: 3")
            && text.contains("Configs: cleanup.policy=delete,compact,segment.bytes=1048576\n"),
        "{text}"
    );
    cli.ok(&["topic", "alter", "t", "--subtract-config", "cleanup.policy=delete"], b"");
    assert!(cli.text(&["topic", "describe", "t"]).contains("Configs: cleanup.policy=compact,"));

    let refusals: [(&[&str], i32, &str); 5] = [
        (&[], 2, "error: nothing to change: give --partitions, "),
        (&["--partitions", "3"], 1, "error: a topic can't have 3 partitions: the count is at least 4 here\n"),
        (&["--config", "retention.ms=x"], 2, "error: invalid config retention.ms = \"x\": "),
        (&["--config", "remote.storage.enable=true"], 2, "error: config remote.storage.enable is Kafka's and has no "),
        (
            &["--append-config", "retention.ms=1"],
            2,
            "error: invalid config retention.ms = \"1\": expected a config that is",
        ),
    ];
    for (args, code, text) in refusals {
        let (actual, stderr) = cli.failure(&[&["topic", "alter", "t"], args].concat(), b"");
        assert!(actual == code && stderr.starts_with(text), "{args:?}: {actual} {stderr}");
    }
}

#[test]
fn records_are_deleted_below_an_offset() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--partitions", "2"], b"");
    for partition in ["0", "1"] {
        cli.ok(&["produce", "t", "--partition", partition], b"a\nb\nc\n");
    }
    let expected = "TOPIC  PARTITION  LOW-WATERMARK\nt      0          2\nt      1          3\n";
    assert_eq!(cli.text(&["topic", "delete-records", "t", "0:2", "1:-1"]), expected);
    assert_eq!(cli.ok(&["consume", "t", "--from-beginning"], b""), b"c\n");

    // All or nothing.
    let (code, stderr) = cli.failure(&["topic", "delete-records", "t", "0:3", "1:4"], b"");
    assert_eq!((code, &*stderr), (1, "error: offset 4 of t-1 is out of range: the log holds 3..3\n"));
    assert_eq!(cli.ok(&["consume", "t", "--from-beginning"], b""), b"c\n");

    let file = cli.temporary.path().join("offsets.json");
    let file_arg = file.to_str().unwrap();
    std::fs::write(&file, r#"{"partitions": [{"topic": "t", "partition": 0, "offset": 3}], "version": 1}"#).unwrap();
    let deleted = cli.json(&["topic", "delete-records", "--offset-json-file", file_arg]);
    assert_eq!(deleted, [json!({"topic": "t", "partition": 0, "low_watermark": 3})]);

    let refusals: [(&str, &str); 2] = [
        (r#"{"partitions": [], "version": 2}"#, " has version 2, and only 1 is known\n"),
        (r#"{"partitions": [{"topic": "t"}]}"#, "missing field `partition` at line 1 column 30\n"),
    ];
    for (text, end) in refusals {
        std::fs::write(&file, text).unwrap();
        let (code, stderr) = cli.failure(&["topic", "delete-records", "--offset-json-file", file_arg], b"");
        assert!(code == 1 && stderr.ends_with(end), "{stderr}");
    }
    for args in [&["t"][..], &["t", "0"], &["t", "0:1", "0:2"], &[]] {
        assert_eq!(cli.failure(&[&["topic", "delete-records"], args].concat(), b"").0, 2, "{args:?}");
    }
}

#[test]
fn topics_are_compacted_on_demand() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--config", "cleanup.policy=compact"], b"");
    cli.ok(&["produce", "t", "--key-separator", "="], b"a=1\na=2\nb=3\n");
    let compacted = cli.json(&["topic", "compact", "t"]);
    let [read, kept] = ["records_read", "records_kept"].map(|key| compacted[0][key].as_u64().unwrap());
    assert_eq!((read, kept), (3, 2));
    assert_eq!(cli.ok(&["consume", "t", "--from-beginning"], b""), b"2\n3\n");
    let text = cli.text(&["topic", "compact", "t"]);
    assert!(
        text.starts_with("TOPIC  PARTITION  RECORDS-READ  RECORDS-KEPT  BYTES-BEFORE  BYTES-AFTER\nt      0 "),
        "{text}"
    );

    cli.ok(&["topic", "create", "u"], b"");
    let (code, stderr) = cli.failure(&["topic", "compact", "u"], b"");
    assert_eq!(
        (code, &*stderr),
        (1, "error: invalid config cleanup.policy = \"delete\": expected a list with compact\n")
    );
}
