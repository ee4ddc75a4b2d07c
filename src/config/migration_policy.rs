//! Between which protocols groups in use may go over (`group.consumer.migration.policy`).

use std::fmt;

/// Whether a group that has members may go from the classic protocol to that of consumer groups (KIP-848), and back
/// (Kafka's `group.consumer.migration.policy`). One without members always may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerGroupMigrationPolicy {
    /// Both ways.
    #[default]
    Bidirectional,
    /// It becomes a consumer group with the first member that has the consumer protocol, and stays one.
    Upgrade,
    /// It does not, but where it is one it becomes a classic group when the last such member has gone.
    Downgrade,
    /// Neither, and a consumer group that has members takes none of the classic protocol.
    Disabled,
}

impl ConsumerGroupMigrationPolicy {
    const ALL: [Self; 4] = [Self::Bidirectional, Self::Upgrade, Self::Downgrade, Self::Disabled];

    /// Kafka's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bidirectional => "bidirectional",
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Disabled => "disabled",
        }
    }

    /// Finds one by its name, in capitals or not.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name().eq_ignore_ascii_case(name))
    }

    #[cfg(feature = "coordinator")]
    pub(crate) const fn upgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    #[cfg(feature = "coordinator")]
    pub(crate) const fn downgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}

impl fmt::Display for ConsumerGroupMigrationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
