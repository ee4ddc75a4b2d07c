//! Opening the data directory, and telling what a crash left in it.

use std::path::Path;

use esker::{Error, Store};

use crate::failure::{Failure, Result, tell};

/// Opens the store, creating it if there is none.
pub(crate) fn create_or_open(dir: Option<&Path>) -> Result<Store> {
    let store = Store::open(given(dir)?)?;
    warn_of_recovery(&store);
    Ok(store)
}

/// Opens the store that is there. A mistyped directory is an error, not a new store.
pub(crate) fn open(dir: Option<&Path>) -> Result<Store> {
    let path = given(dir)?;
    if !path.join("meta.properties").exists() {
        let what = format!("{} is not a data directory: `esker topic create` makes one", path.display());
        return Err(Failure::new(what));
    }
    create_or_open(dir)
}

fn given(dir: Option<&Path>) -> Result<&Path> {
    dir.ok_or_else(|| Failure::Usage("no data directory: give --dir DIR or set ESKER_DIR".to_owned()))
}

/// How many partitions a topic has, or what to do about it that there is none.
pub(crate) fn partition_count(store: &Store, topic: &str) -> Result<i32> {
    store.partition_count(topic).map_err(|error| match error {
        Error::UnknownTopicOrPartition { .. } => {
            Failure::new(format!("topic {topic} does not exist: `esker topic create {topic}` creates it"))
        }
        other => other.into(),
    })
}

fn warn_of_recovery(store: &Store) {
    let report = store.recovery_report();
    if report.is_healthy() {
        return;
    }
    for partition in &report.partitions {
        for cut in &partition.cuts {
            let (at, file, kept_as) = (&partition.topic_partition, &cut.file, &cut.kept_as);
            let (bytes, position, reason) = (cut.bytes, cut.position, &cut.reason);
            tell(
                "warning",
                format_args!("{at}: cut {bytes} bytes off {file} at {position}, kept as {kept_as}: {reason}"),
            );
        }
        for damage in &partition.damage {
            tell("warning", format_args!("{}: {}", partition.topic_partition, damage.error));
        }
    }
    for partition in &report.incomplete {
        tell("warning", format_args!("{partition} was not opened: its topic is incomplete"));
    }
}
