//! What becomes of old records (`cleanup.policy`): a list, as in Kafka.

use std::fmt;

/// What happens to old records (Kafka's `cleanup.policy`): a list of `delete` and `compact`. With an empty one nothing
/// happens to them. The order means nothing, also to `==`; it is kept, for whoever reads the list back.
#[derive(Clone, Copy, Debug, Eq)]
pub struct CleanupPolicy {
    /// Whole segments are deleted when they are too old or the log is too large (`retention.ms`, `retention.bytes`).
    pub delete: bool,
    /// The last record of each key is kept, so each record needs a key.
    ///
    /// A record without a value deletes its key. The guide to [compaction](crate::guide::retention#compaction) has the
    /// rest.
    pub compact: bool,
    /// Whether `delete` comes before `compact`, where both are there.
    delete_first: bool,
}

impl CleanupPolicy {
    /// `delete`, the default.
    pub const DELETE: Self = Self { delete: true, ..Self::NONE };
    /// `compact`.
    pub const COMPACT: Self = Self { compact: true, ..Self::NONE };
    /// `compact,delete`: the last record of each key, for as long as retention keeps it.
    pub const COMPACT_DELETE: Self = Self { delete: true, compact: true, delete_first: false };
    /// `delete,compact`: the same.
    pub const DELETE_COMPACT: Self = Self { delete_first: true, ..Self::COMPACT_DELETE };
    /// Nothing: all records stay.
    pub const NONE: Self = Self { delete: false, compact: false, delete_first: false };

    /// Reads Kafka's list: names between commas.
    pub(super) fn parse(list: &str) -> Option<Self> {
        let mut policy = Self::NONE;
        if list.trim().is_empty() {
            return Some(policy);
        }
        for name in list.split(',') {
            match name.trim() {
                "delete" => policy.delete = true,
                "compact" => {
                    policy.delete_first |= policy.delete && !policy.compact;
                    policy.compact = true;
                }
                _ => return None,
            }
        }
        Some(policy)
    }
}

impl PartialEq for CleanupPolicy {
    fn eq(&self, other: &Self) -> bool {
        (self.delete, self.compact) == (other.delete, other.compact)
    }
}

impl Default for CleanupPolicy {
    fn default() -> Self {
        Self::DELETE
    }
}

impl fmt::Display for CleanupPolicy {
    /// Kafka's list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.compact, self.delete) {
            (true, true) if self.delete_first => "delete,compact",
            (true, true) => "compact,delete",
            (true, false) => "compact",
            (false, true) => "delete",
            (false, false) => "",
        })
    }
}
