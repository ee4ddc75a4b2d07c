//! Where work goes that may block: to threads for that.

use tokio::sync::oneshot;
use tokio::task::JoinError;

/// Runs `work`, which may touch the disk or wait for it, on a thread that may block.
///
/// A panic of it is this task's, so that it ends one connection.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            rethrow(error);
            // The runtime is going down, and with it this task at its next await.
            std::future::pending().await
        }
    }
}

/// The same, and returns before `work` is done: with what it sends, after which it may go on by itself.
pub(super) async fn run_on<T: Send + 'static>(work: impl FnOnce(oneshot::Sender<T>) + Send + 'static) -> T {
    let (sender, sent) = oneshot::channel();
    let working = tokio::task::spawn_blocking(move || work(sender));
    match sent.await {
        Ok(sent) => sent,
        Err(_) => {
            working.await.unwrap_or_else(rethrow);
            std::future::pending().await
        }
    }
}

/// Panics as the other did. Otherwise it was taken off a runtime that is going down.
fn rethrow(error: JoinError) {
    if let Ok(panic) = error.try_into_panic() {
        std::panic::resume_unwind(panic);
    }
}
