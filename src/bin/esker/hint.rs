//! What the user can do about an error of the library.

use esker::Error;

/// What to do about it, where there is something to do.
pub(crate) fn hint(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::DirectoryLocked { .. } => {
            "wait for the other process, or end it; what only looks (list, describe, consume without a commit) works beside it"
        }
        Error::StorageFull { .. } => "nothing was lost: try again once there is space",
        Error::LogOffline { .. } => "run the command again: opening the directory recovers what the device holds",
        Error::MalformedFile { .. } => "`esker log verify` looks through the whole directory for damage",
        Error::MessageTooLarge { limit: "max.message.bytes", .. } => {
            "raise it with `esker topic alter TOPIC --config max.message.bytes=N`"
        }
        Error::GroupIdNotFound { .. } => "`esker group list` names the groups that have committed offsets",
        Error::TransactionalIdNotFound { .. } => "`esker transactions list` names the transactional ids that are known",
        Error::NoOpenTransaction { .. } => {
            "`esker transactions find-hanging` names the transactions that can be aborted"
        }
        Error::NoOffsetForPartition { .. } => {
            "reset it with --to-earliest, --to-latest, --to-offset or --to-datetime instead"
        }
        _ => return None,
    })
}
