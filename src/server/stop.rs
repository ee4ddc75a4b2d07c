//! That the server is to stop, as its tasks hear of it.

use tokio::sync::watch;

/// Returns once the server is to stop.
pub(super) async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}
