//! Longer reading, each page to be read by itself.
//!
//! | page | answers |
//! |---|---|
//! | [`durability`] | what does an acknowledged record survive, and what happens when a disk fails? |
//! | [`groups`] | how does a reader go on where it left off, and how are readers of one topic told apart? |
//! | [`retention`] | when does a record go, and which ones are kept? |
//! | [`operating`] | what is in the directory, how is it backed up, checked, and looked after? |
#![cfg_attr(
    feature = "sim",
    doc = "| [`testing`] | how do I test my own code, also against crashes and failing disks? |"
)]
//! | [`kafka`] | how do data, tools and habits move to and from Apache Kafka? |

pub mod durability;
pub mod groups;
pub mod kafka;
pub mod operating;
pub mod retention;
#[cfg(feature = "sim")]
pub mod testing;
