//! How a coordinator assigns partitions to the members of consumer groups (`group.consumer.assignors`).

/// A way in which the coordinator of consumer groups (KIP-848) assigns partitions. Members ask for it by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerGroupAssignor {
    /// Everybody gets as many partitions as the others, and keeps those it had.
    Uniform,
    /// Everybody gets a range of each topic's partitions, and the same range of topics of the same size.
    Range,
}

impl ConsumerGroupAssignor {
    const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// Kafka's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The name of Kafka's class, by which it was configured once.
    const fn class_name(self) -> &'static str {
        match self {
            Self::Uniform => "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
            Self::Range => "org.apache.kafka.coordinator.group.assignor.RangeAssignor",
        }
    }

    /// Reads a list of at least one. Who is in it twice counts where it stands first.
    pub(super) fn parse_list(list: &str) -> Option<Vec<Self>> {
        let find = |name: &str| Self::ALL.into_iter().find(|known| [known.name(), known.class_name()].contains(&name));
        let mut assignors = Vec::new();
        for name in list.split(',') {
            let assignor = find(name.trim())?;
            if !assignors.contains(&assignor) {
                assignors.push(assignor);
            }
        }
        Some(assignors)
    }
}
