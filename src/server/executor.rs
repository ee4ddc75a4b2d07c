//! Where work goes that may block: it touches the disk, or waits for it.

/// Runs `work` on a thread that may block.
///
/// A panic of it is this task's, so that it ends one connection.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down, and with it this task at its next await.
            Err(_) => std::future::pending().await,
        },
    }
}
