//! What a server does, as numbers: counted where requests come in and responses go out, and nowhere further in.
//!
//! With the feature `metrics` they go to the recorder of the `metrics` crate that the process has installed, or with
//! the feature `prometheus` to the server's own, which its endpoint shows. [`names`] lists them all. Without these
//! features there is nothing to count with, and [`silent`] has the same calls, which do nothing.

#[cfg(feature = "prometheus")]
pub(super) mod endpoint;
#[cfg(feature = "metrics")]
mod names;
#[cfg(feature = "metrics")]
mod recorded;
#[cfg(not(feature = "metrics"))]
mod silent;

#[cfg(feature = "metrics")]
pub(super) use recorded::{Metrics, RequestTimer};
#[cfg(not(feature = "metrics"))]
pub(super) use silent::{Metrics, RequestTimer};
