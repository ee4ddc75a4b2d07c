//! The files of a partition, read without either engine.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::description::AbortedTransaction;

/// What a process that is killed at this moment leaves behind: everything it has written, and no more.
pub fn copy_of(dir: &Path) -> TempDir {
    let copy = TempDir::new().expect("a temporary directory");
    copy_dir(dir, copy.path());
    copy
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("the directory can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it has a type").is_dir() {
            fs::create_dir(&target).expect("a directory in a temporary one");
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("the file can be copied");
        }
    }
}

/// The files in `dir` whose names end in `suffix`, in the order of their base offsets.
pub fn with_suffix(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .expect("the directory can be read")
        .map(|entry| entry.expect("the directory can be read").path())
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(suffix)))
        .collect();
    paths.sort();
    paths
}

/// The base offset in the name of a segment's file.
pub fn base_offset(path: &Path) -> i64 {
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII");
    name[..20].parse().expect("twenty digits")
}

/// The offsets and positions in an offset index. Space that is held for more of them is zeros.
pub fn offset_index(path: &Path) -> Vec<(i64, i32)> {
    let base = base_offset(path);
    entries::<8>(path)
        .map(|entry| {
            let [a, b, c, d, e, f, g, h] = entry;
            (base + i64::from(i32::from_be_bytes([a, b, c, d])), i32::from_be_bytes([e, f, g, h]))
        })
        .collect()
}

/// The timestamps and offsets in a time index.
pub fn time_index(path: &Path) -> Vec<(i64, i64)> {
    let base = base_offset(path);
    entries::<12>(path)
        .map(|entry| {
            let (timestamp, offset) = entry.split_at(8);
            let timestamp = i64::from_be_bytes(timestamp.try_into().expect("eight bytes"));
            (timestamp, base + i64::from(i32::from_be_bytes(offset.try_into().expect("four bytes"))))
        })
        .collect()
}

/// The transactions in a transaction index, if there is one.
pub fn transaction_index(path: &Path) -> Vec<AbortedTransaction> {
    if !path.exists() {
        return Vec::new();
    }
    let entry = |entry: [u8; 34]| {
        let (version, fields) = entry.split_at(2);
        assert_eq!(version, [0, 0], "of the one version there is");
        let field = |index: usize| {
            let bytes = fields[index * 8..].first_chunk().expect("four fields of eight bytes");
            i64::from_be_bytes(*bytes)
        };
        let (producer_id, first_offset, last_offset, last_stable_offset) = (field(0), field(1), field(2), field(3));
        AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset }
    };
    entries::<34>(path).map(entry).collect()
}

fn entries<const SIZE: usize>(path: &Path) -> impl Iterator<Item = [u8; SIZE]> {
    let bytes = fs::read(path).expect("the index can be read");
    let (entries, rest) = bytes.as_chunks::<SIZE>();
    assert!(rest.iter().all(|byte| *byte == 0), "{} holds whole entries", path.display());
    let entries: Vec<[u8; SIZE]> = entries.to_vec();
    entries.into_iter().take_while(|entry| *entry != [0; SIZE])
}

/// The batches in a log file, each with its header.
pub fn batches(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).expect("the log can be read");
    let mut rest = &*bytes;
    let mut batches = Vec::new();
    while let Some(prefix) = rest.first_chunk::<12>() {
        let [.., a, b, c, d] = *prefix;
        let (batch, others) = rest.split_at(prefix.len() + u32::from_be_bytes([a, b, c, d]) as usize);
        batches.push(batch.to_vec());
        rest = others;
    }
    batches
}
