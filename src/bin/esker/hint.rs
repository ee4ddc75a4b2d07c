//! What the user can do about an error of the library.

use esker::Error;
use esker::net::{ConnectionError, ErrorCode, ProtocolError};

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

/// The same of an answer that is none of Kafka's protocol, or not of the one that was expected.
pub(crate) fn hint_of_connection(error: &ConnectionError) -> Option<&'static str> {
    match error {
        // What was taken for the size of a response.
        ConnectionError::Protocol(ProtocolError::FrameSize { size, .. }) => match size.to_be_bytes() {
            // An alert, or a part of a handshake.
            [0x15 | 0x16, 3, ..] => {
                Some("the other side seems to speak TLS: --command-config names a file that says security.protocol=SSL")
            }
            [b'H', b'T', b'T', b'P'] => Some("the other side seems to speak HTTP: this is no port of a broker"),
            _ => None,
        },
        ConnectionError::Authentication(why) if *why == ErrorCode::ILLEGAL_SASL_STATE.to_string() => Some(
            "the other side seems to ask for no login: see security.protocol in the file that --command-config names",
        ),
        _ => None,
    }
}

/// The same of a handshake of TLS that the other side has ended without a word.
pub(crate) const SPEAKS_NO_TLS: &str =
    "the other side seems to speak no TLS: see security.protocol in the file that --command-config names";
