//! The choices of a simulated disk, by seed.

/// SplitMix64 (Steele, Lea and Flood, 2014): one word of state, and every seed is a good one.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Choices of its own for something else. Two things that were given the same seed, as a disk and its crash often
    /// are, must not choose alike.
    pub(super) fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0. The bias of the remainder does not matter here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }
}

/// How many of a set of uncertain things are kept. All and none come up often, since those are the crashes that a
/// coin for each thing would practically never produce.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    All,
    None,
    Some,
}

impl Keep {
    pub(super) fn choose(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::All,
            1 => Self::None,
            _ => Self::Some,
        }
    }
}
