//! Kafka, as an engine.

use std::path::{Path, PathBuf};

use esker::{TopicPartition, Uuid};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::batch::Batch;
use crate::description::Description;
use crate::engine::{CONSUMER_OFFSETS, Engine, Topics, partition};
use crate::process::{Answer, request};

/// A data directory that Kafka has open.
#[derive(Debug)]
pub struct Kafka {
    dir: PathBuf,
    pub found: Found,
    messages: Vec<String>,
}

/// What Kafka saw of the directory when it opened it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    pub cluster_id: String,
    pub node_id: i32,
    pub directory_id: String,
    pub was_clean: bool,
    pub partitions: Vec<String>,
}

impl Kafka {
    /// Opens the directory as a broker that has these topics, creating what is not there.
    pub fn open(dir: &Path, now_ms: i64, topics: &Topics) -> Self {
        // Kafka makes the files of indexes as large as they may get.
        let offsets = [("cleanup.policy", "compact"), ("segment.index.bytes", "1024")];
        let offsets = offsets.map(|(key, value)| (key, value.to_owned())).to_vec();
        let configs: Value = topics
            .iter()
            .chain([(&CONSUMER_OFFSETS.to_owned(), &offsets)])
            .map(|(topic, config)| {
                let config: serde_json::Map<String, Value> =
                    config.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
                (topic.clone(), Value::Object(config))
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let answer = request(&json!({ "command": "open", "dir": dir, "now_ms": now_ms, "topics": configs }));
        assert_eq!(answer.error, None, "Kafka opens {}", dir.display());
        let found = serde_json::from_value(answer.ok).expect("a directory is described");
        Self { dir: dir.to_owned(), found, messages: answer.messages }
    }

    /// Has Kafka do something to a partition.
    pub fn ask(&self, command: &str, at: &TopicPartition, details: Value) -> Answer {
        let mut question =
            json!({ "command": command, "dir": self.dir, "topic": *at.topic, "partition": at.partition });
        if let (Value::Object(question), Value::Object(details)) = (&mut question, details) {
            question.extend(details);
        }
        request(&question)
    }
}

impl Engine for Kafka {
    fn complaints(&self) -> Vec<String> {
        self.messages.clone()
    }

    fn create_topic(&self, topic: &str) {
        // In Kafka the controller makes up the ids. Here they follow from the names.
        let mut id = [0; 16];
        id.iter_mut().zip(topic.bytes()).for_each(|(digit, byte)| *digit = byte);
        self.ask("create", &partition(topic), json!({ "topic_id": Uuid::from_bytes(id).to_string() })).clean();
    }

    fn set_time(&self, now_ms: i64) {
        request(&json!({ "command": "set_time", "dir": self.dir, "now_ms": now_ms })).clean();
    }

    fn try_append(&self, at: &TopicPartition, batch: &Batch) -> Result<i64, String> {
        let answer = self.ask("append", at, batch.to_json());
        match &answer.error {
            None => Ok(answer.clean()["base_offset"].as_i64().expect("an offset")),
            Some(error) => {
                let class = error.split(':').next().unwrap_or_default();
                let name = class.rsplit('.').next().unwrap_or_default();
                Err(name.strip_suffix("Exception").unwrap_or(error).to_owned())
            }
        }
    }

    fn set_leader_epoch(&self, at: &TopicPartition, epoch: i32) {
        self.ask("set_leader_epoch", at, json!({ "epoch": epoch })).clean();
    }

    fn delete_records(&self, at: &TopicPartition, offset: i64) {
        self.ask("delete_records", at, json!({ "offset": offset })).clean();
    }

    fn truncate(&self, at: &TopicPartition, offset: i64) {
        let mut answer = self.ask("truncate", at, json!({ "offset": offset }));
        // Here the high watermark is always at the end, and falls.
        let is_expected = |message: &String| {
            message.contains("below high watermark") || message.contains("Non-monotonic update of high watermark")
        };
        answer.messages.retain(|message| !is_expected(message));
        answer.clean();
    }

    fn commit_offset(&self, group: &str, topic: &str, offset: i64, metadata: &str) {
        let commit = json!({
            "group": group, "of_topic": topic, "of_partition": 0,
            "offset": offset, "leader_epoch": null, "metadata": metadata,
        });
        self.create_topic(CONSUMER_OFFSETS); // unless it is there
        self.ask("commit_offset", &partition(CONSUMER_OFFSETS), commit).clean();
    }

    fn maintain(&self) {
        request(&json!({ "command": "maintain", "dir": self.dir })).clean();
    }

    fn describe(&self, at: &TopicPartition, timestamps: &[i64]) -> Description {
        let description = self.ask("describe", at, json!({ "timestamps": timestamps })).clean();
        serde_json::from_value(description).expect("a log is described")
    }

    fn close(self) {
        request(&json!({ "command": "close", "dir": self.dir })).clean();
    }
}
