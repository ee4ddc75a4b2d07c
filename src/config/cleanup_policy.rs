//! What becomes of old records (`cleanup.policy`): a list, as in Kafka.

use std::fmt;

/// What happens to old records (Kafka's `cleanup.policy`): a list of `delete` and `compact`. With an empty one nothing
/// happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Whole segments are deleted when they are too old or the log is too large (`retention.ms`, `retention.bytes`).
    pub delete: bool,
    /// The last record of each key is kept, so each record needs a key.
    ///
    /// A record without a value deletes its key. The guide's page on operating a store has the rest.
    pub compact: bool,
}

impl CleanupPolicy {
    /// `delete`, the default.
    pub const DELETE: Self = Self { delete: true, compact: false };
    /// `compact`.
    pub const COMPACT: Self = Self { delete: false, compact: true };
    /// `compact,delete`: the last record of each key, for as long as retention keeps it.
    pub const COMPACT_DELETE: Self = Self { delete: true, compact: true };

    const NONE: Self = Self { delete: false, compact: false };

    /// Reads Kafka's list: names between commas, in any order.
    pub(super) fn parse(list: &str) -> Option<Self> {
        let mut policy = Self::NONE;
        if list.trim().is_empty() {
            return Some(policy);
        }
        for name in list.split(',') {
            match name.trim() {
                "delete" => policy.delete = true,
                "compact" => policy.compact = true,
                _ => return None,
            }
        }
        Some(policy)
    }
}

impl Default for CleanupPolicy {
    fn default() -> Self {
        Self::DELETE
    }
}

impl fmt::Display for CleanupPolicy {
    /// Kafka's list, `compact` first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.compact, self.delete) {
            (true, true) => "compact,delete",
            (true, false) => "compact",
            (false, true) => "delete",
            (false, false) => "",
        })
    }
}
