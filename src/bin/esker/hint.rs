//! What the user can do about an error of the library.

use esker::Error;

const IN_USE: &str =
    "wait for the other process, or end it; what only looks (list, describe, consume without a commit) works beside it";
/// The same of a command that works over the network too.
pub(crate) const IN_USE_OR_SERVED: &str = "wait for the other process, or end it, or if it is a server speak to that with \
    --bootstrap-server; what only looks (list, describe, consume without a commit) works beside it";

/// What to do about it, where there is something to do.
pub(crate) fn hint(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::DirectoryLocked { .. } => IN_USE,
        Error::StorageFull { .. } => "nothing was lost: try again once there is space",
        Error::LogOffline { .. } => "run the command again: opening the directory recovers what the device holds",
        Error::MalformedFile { .. } => "`esker log verify` looks through the whole directory for damage",
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
