//! Topics, and what they are configured to.

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
