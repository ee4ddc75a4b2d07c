//! The store through the public API: topics and their rules, the directory on the disk as Kafka lays it out, retention,
//! locking, reopening, and a partition directory of Kafka's own.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../api/mod.rs"]
mod api;
#[path = "../common/mod.rs"]
mod common;
mod directory;
mod kafka;
mod lock;
mod retention;
#[cfg(target_os = "linux")]
mod threads;
mod topics;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use esker::{Log, Store, TopicConfig};

fn create(store: &Store, topic: &str) -> Log {
    store.create_topic(topic, TopicConfig::new()).unwrap();
    store.partition(topic, 0).unwrap()
}

/// The names in a directory.
fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn file_text(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digits = digits.chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
