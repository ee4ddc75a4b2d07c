//! The text files that say whose data this is: `meta.properties` of a directory, `partition.metadata` of a partition,
//! and the marker of a clean shutdown.

use std::io;
use std::path::Path;

use crate::config::invalid;
use crate::error::{Error, Result};
use crate::io::{Storage, replace_file};
use crate::uuid::Uuid;

pub(super) const META_PROPERTIES: &str = "meta.properties";
pub(super) const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// What the file of a directory says that is not a snapshot yet.
const INCOMPLETE: &str = "version=incomplete-snapshot";

/// Who a data directory belongs to (`meta.properties`, version 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetaProperties {
    pub(crate) cluster_id: String,
    pub(crate) node_id: i32,
    pub(crate) directory_id: Uuid,
}

impl MetaProperties {
    /// Reads the directory's file.
    pub(crate) fn load(storage: &dyn Storage, dir: &Path) -> Result<Self> {
        let path = dir.join(META_PROPERTIES);
        let contents = storage.read(&path).map_err(|error| Error::io("read", &path, error))?;
        parse(&path, &contents)
    }

    /// Reads the directory's file, or gives a new directory its identity: that of the node `node_id`, if there is to be
    /// one.
    pub(crate) fn load_or_create(storage: &dyn Storage, dir: &Path, node_id: Option<i32>) -> Result<Self> {
        let path = dir.join(META_PROPERTIES);
        let (mut found, lines) = match storage.read(&path) {
            Ok(contents) => (parse(&path, &contents)?, properties(&path, &contents)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Self::default(), Vec::new()),
            Err(error) => return Err(Error::io("read", path, error)),
        };
        let names_node = lines.iter().any(|(_, key, _)| matches!(&**key, "node.id" | "broker.id"));
        match node_id {
            Some(node_id) if names_node && node_id != found.node_id => {
                let expected = format!("{}, the node whose directory this is by {}", found.node_id, path.display());
                return Err(invalid("node.id", &node_id.to_string(), expected));
            }
            Some(node_id) => found.node_id = node_id,
            None => {}
        }
        if lines.len() < 4 {
            found.write(storage, dir)?;
        }
        Ok(found)
    }

    /// Gives a directory this identity.
    pub(crate) fn write(&self, storage: &dyn Storage, dir: &Path) -> Result<()> {
        write(storage, dir, &self.text())
    }

    /// What the file says.
    pub(crate) fn text(&self) -> String {
        let Self { cluster_id, node_id, directory_id } = self;
        format!("version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={directory_id}\n")
    }

    /// What can be told from a file that is malformed. None if it says that the directory is a snapshot that was never
    /// completed: that is no damage.
    pub(crate) fn salvage(contents: &[u8]) -> Option<Self> {
        let (text, path) = (String::from_utf8_lossy(contents), Path::new(META_PROPERTIES));
        let is_sound = |line: &&str| parse(path, line.as_bytes()).is_ok();
        let sound: Vec<&str> = text.lines().filter(is_sound).collect();
        let is_incomplete = text.contains(INCOMPLETE);
        (!is_incomplete).then(|| parse(path, sound.join("\n").as_bytes()).unwrap_or_default())
    }
}

/// Says of a directory that is going to be a snapshot that it is none yet. No version is called so: nobody opens it.
pub(crate) fn write_incomplete(storage: &dyn Storage, dir: &Path) -> Result<()> {
    write(storage, dir, &format!("{INCOMPLETE}\n"))
}

fn write(storage: &dyn Storage, dir: &Path, text: &str) -> Result<()> {
    let path = dir.join(META_PROPERTIES);
    replace_file(storage, &path, text.as_bytes()).map_err(|error| Error::io("write", path, error))
}

impl Default for MetaProperties {
    fn default() -> Self {
        Self { cluster_id: Uuid::random().to_string(), node_id: 1, directory_id: Uuid::random() }
    }
}

fn parse(path: &Path, contents: &[u8]) -> Result<MetaProperties> {
    let mut meta = MetaProperties::default();
    for (line, key, value) in properties(path, contents)? {
        let malformed = |reason: String| Error::MalformedFile { file: path.to_owned(), line, reason };
        match key.as_str() {
            "version" if value != "0" && value != "1" => {
                return Err(malformed(format!("version {value:?} is neither 0 nor 1")));
            }
            "cluster.id" => meta.cluster_id = value,
            "node.id" | "broker.id" => {
                meta.node_id = value.parse().map_err(|_| malformed(format!("{key} {value:?} is not a number")))?;
            }
            "directory.id" => {
                meta.directory_id = value.parse().map_err(|error| malformed(format!("{key} {value:?}: {error}")))?;
            }
            _ => {}
        }
    }
    Ok(meta)
}

/// The lines `key=value` of a file of Java properties, comments left out, with their numbers from 1.
fn properties(path: &Path, contents: &[u8]) -> Result<Vec<(usize, String, String)>> {
    let malformed =
        |line, reason: &str| Error::MalformedFile { file: path.to_owned(), line, reason: reason.to_owned() };
    let text = std::str::from_utf8(contents).map_err(|_| malformed(1, "it is not UTF-8"))?;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).ok_or_else(|| malformed(index + 1, "it is not key=value"))?;
        // Java escapes these two where it writes properties; ids and numbers need no more.
        let unescape = |text: &str| text.trim().replace("\\:", ":").replace("\\=", "=");
        found.push((index + 1, unescape(key), unescape(value)));
    }
    Ok(found)
}

/// The topic id in a partition's `partition.metadata`; None if there is no such file.
pub(crate) fn read_topic_id(storage: &dyn Storage, path: &Path) -> Result<Option<Uuid>> {
    let contents = match storage.read(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    let malformed = |line, reason: String| Error::MalformedFile { file: path.to_owned(), line, reason };
    let mut id = None;
    for (line, key, value) in properties(path, &contents)? {
        match key.as_str() {
            "version" if value != "0" => return Err(malformed(line, format!("version {value:?} is not 0"))),
            "topic_id" => id = Some(value.parse().map_err(|error| malformed(line, format!("{value:?}: {error}")))?),
            _ => {}
        }
    }
    id.map(Some).ok_or_else(|| malformed(2, "topic_id is missing".to_owned()))
}

/// Writes a partition's `partition.metadata`.
pub(crate) fn write_topic_id(storage: &dyn Storage, path: &Path, id: Uuid) -> Result<()> {
    let text = format!("version: 0\ntopic_id: {id}");
    replace_file(storage, path, text.as_bytes()).map_err(|error| Error::io("write", path, error))
}

/// Takes the marker of a clean shutdown away and tells whether it was there. From then on a crash is a crash.
pub(crate) fn take_clean_shutdown(storage: &dyn Storage, dir: &Path) -> Result<bool> {
    let path = dir.join(CLEAN_SHUTDOWN);
    match storage.remove_file(&path) {
        Ok(()) => {
            storage.sync_dir(dir).map_err(|error| Error::io("sync", dir, error))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path, error)),
    }
}

/// Says that everything is on the device and as it should be.
pub(crate) fn write_clean_shutdown(storage: &dyn Storage, dir: &Path) -> Result<()> {
    let path = dir.join(CLEAN_SHUTDOWN);
    replace_file(storage, &path, br#"{"version":0,"brokerEpoch":-1}"#).map_err(|error| Error::io("write", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_meta_properties_are_read() {
        let text = b"#\n#Mon Nov 23 10:00:00 UTC 2026\ncluster.id=5L6g3nShT-eMCtK--X86sw\nversion=1\n\
            directory.id=AQIDBAUGBwgJCgsMDQ4PEA\nnode.id=7\n";
        let meta = parse(Path::new("meta.properties"), text).expect("well-formed");
        assert_eq!(meta.cluster_id, "5L6g3nShT-eMCtK--X86sw");
        assert_eq!(meta.node_id, 7);
        assert_eq!(meta.directory_id.to_string(), "AQIDBAUGBwgJCgsMDQ4PEA");
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (text, line) in [("version=2\n", 1), ("version=1\nnode.id=x\n", 2), ("version=1\n\nnonsense\n", 3)] {
            match parse(Path::new("meta.properties"), text.as_bytes()) {
                Err(Error::MalformedFile { line: found, .. }) => assert_eq!(found, line, "{text:?}"),
                other => panic!("{text:?} gave {other:?}"),
            }
        }
    }
}
