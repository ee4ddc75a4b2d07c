//! Waiting, without a thread, until what was appended is on the device.

use super::api_error::tell;
use super::executor;
use super::metrics::Metrics;
use super::when_woken::or_never;
use crate::error::Result;
use crate::log::synced_in_turn::{Progress, SyncedInTurn};

/// Waits for the sync. Whoever waits alone syncs, the others wait for that one, none on a thread.
///
/// # Errors
/// What makes it impossible, now or for good.
pub(super) async fn wait(synced: &mut SyncedInTurn, metrics: &Metrics) -> Result<()> {
    let mut turn_taken = None;
    loop {
        tokio::select! {
            progress = &mut *synced => match progress {
                Progress::Done(result) => return result.inspect_err(tell),
                Progress::Turn(turn) => {
                    if let Some(taken) = turn_taken.take() {
                        taken.await?;
                    }
                    let metrics = metrics.clone();
                    turn_taken = Some(Box::pin(executor::run(move || turn.take(|took| metrics.flushed(took)))));
                }
            },
            // It goes on for others when this one is done.
            taken = or_never(turn_taken.as_mut()) => {
                turn_taken = None;
                taken?;
            }
        }
    }
}
