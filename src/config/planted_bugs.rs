//! Bugs that tests plant in a store, to show that they would be found. Without the feature `sim` there are none.

use super::StoreConfig;

/// Which bugs a store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlantedBugs {
    /// Takes batches for whole without looking at their CRC when recovering.
    pub skipped_crc: bool,
    /// Takes what the last snapshot knows of producers for all there is to know when recovering.
    pub skipped_replay: bool,
    /// Swaps compacted segments in without the syncs between the steps.
    pub unsynced_swap: bool,
    /// Cuts records off without writing that down first.
    pub unwritten_truncation: bool,
    /// Tells partitions how a transaction ended before that is durable.
    pub unsynced_decision: bool,
    /// Takes a transaction for complete before its markers are durable.
    pub unsynced_markers: bool,
    /// Commits a transaction before its records are durable.
    pub unsynced_records: bool,
}

impl StoreConfig {
    #[cfg(feature = "sim")]
    fn bugs(&self) -> PlantedBugs {
        self.planted
    }

    #[cfg(not(feature = "sim"))]
    fn bugs(&self) -> PlantedBugs {
        PlantedBugs::default()
    }

    pub(crate) fn checks_crc_at_recovery(&self) -> bool {
        !self.bugs().skipped_crc
    }

    pub(crate) fn replays_producers_at_recovery(&self) -> bool {
        !self.bugs().skipped_replay
    }

    pub(crate) fn writes_down_truncations(&self) -> bool {
        !self.bugs().unwritten_truncation
    }

    pub(crate) fn syncs_decisions(&self) -> bool {
        !self.bugs().unsynced_decision
    }

    pub(crate) fn syncs_markers(&self) -> bool {
        !self.bugs().unsynced_markers
    }

    pub(crate) fn syncs_records(&self) -> bool {
        !self.bugs().unsynced_records
    }

    pub(crate) fn syncs_swaps(&self) -> bool {
        !self.bugs().unsynced_swap
    }
}
