//! Longer reading.

pub mod durability;
pub mod operating;
