//! The wire protocol: held to another implementation of it in every version of every message, and to what strangers may
//! send.
#![cfg(feature = "net")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod behaviour;
mod differential;
mod generate;
mod hostile;
#[path = "../common/random.rs"]
mod random;
