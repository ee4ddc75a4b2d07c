//! Opening the data directory, and telling what a crash left in it.

use std::io::ErrorKind;
use std::path::Path;

use esker::{Error, Store, TopicPartition};

use crate::context::Context;
use crate::failure::{Failure, Result, tell};

/// The option of commands that only look.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadOnly {
    /// Change nothing in the directory: don't even recover what a crash left
    ///
    /// What only looks opens the directory read-only by itself. It works beside another process that has the directory
    /// open, follows what that appends, and keeps nobody from writing. But if nobody has it open, and whoever had it
    /// last did not come to close it, it is recovered first.
    #[arg(long)]
    pub(crate) read_only: bool,
}

/// Kafka's file that says that the directory was closed, and that there is nothing to recover. It is gone while the
/// directory is open for writing.
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// Opens the store, creating it if there is none.
pub(crate) fn create_or_open(context: &Context) -> Result<Store> {
    open_path(given(context)?)
}

/// Opens the store that is there. A mistyped directory is an error, not a new store.
pub(crate) fn open(context: &Context) -> Result<Store> {
    open_path(existing(context)?)
}

/// Opens the store that is there, to look at it: read-only, which keeps no writer out.
pub(crate) fn open_to_read(context: &Context, read_only: &ReadOnly) -> Result<Store> {
    let path = existing(context)?;
    if !read_only.read_only && !path.join(CLEAN_SHUTDOWN).exists() {
        recover(path)?;
    }
    Ok(Store::options().open_read_only(path)?)
}

/// Recovers what a crash left, unless a process has the directory open: then there was no crash.
fn recover(path: &Path) -> Result {
    match Store::open(path) {
        Ok(store) => {
            warn_of_recovery(&store);
            Ok(store.close()?)
        }
        Err(Error::DirectoryLocked { .. }) => Ok(()),
        Err(error) if may_not_write(&error) => {
            tell("note", format_args!("nothing was recovered: {}", Failure::from(error)));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The directory, which is there.
pub(crate) fn existing(context: &Context) -> Result<&Path> {
    let path = given(context)?;
    match path.join("meta.properties").try_exists() {
        Ok(true) => Ok(path),
        // One that may not be looked into may be a data directory all the same.
        Err(error) if error.kind() != ErrorKind::NotADirectory => {
            Err(Failure::new(format!("cannot look into {}: {error}", path.display())))
        }
        _ => {
            let what = format!("{} is not a data directory: `esker topic create` makes one", path.display());
            Err(Failure::new(what))
        }
    }
}

/// How many partitions a topic has, or what to do about it that there is none.
pub(crate) fn partition_count(store: &Store, topic: &str) -> Result<i32> {
    store.partition_count(topic).map_err(|error| match error {
        Error::UnknownTopicOrPartition { .. } => Failure::no_topic(topic),
        other => other.into(),
    })
}

/// All partitions of a topic.
pub(crate) fn partitions_of(store: &Store, topic: &str) -> Result<Vec<TopicPartition>> {
    let count = partition_count(store, topic)?;
    Ok((0..count).map(|index| TopicPartition::new(topic, index)).collect())
}

fn open_path(path: &Path) -> Result<Store> {
    let store = Store::open(path)?;
    warn_of_recovery(&store);
    Ok(store)
}

/// The directory, whatever it is.
pub(crate) fn given(context: &Context) -> Result<&Path> {
    context.check_local()?;
    context
        .dir
        .as_deref()
        .ok_or_else(|| Failure::Usage("no data directory: give --dir DIR or set ESKER_DIR".to_owned()))
}

/// Whether a directory can't be opened for writing because nobody may write to it, or not this user.
fn may_not_write(error: &Error) -> bool {
    let Error::Io { source, .. } = error else { return false };
    matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

pub(crate) fn warn_of_recovery(store: &Store) {
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
