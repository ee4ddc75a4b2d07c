//! Where work goes that may block: to threads for that. What takes but a moment doesn't go there, for as long as it
//! does.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::task::coop::consume_budget;
use tokio::time::Instant;

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

/// The same, and returns before `work` is done: with what it sends, after which it goes on by itself. A panic after
/// that is told by the panic hook alone.
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

/// How long a moment may take, with other threads on its processor. A disk that is out of breath takes longer.
const MOMENT_MAX: Duration = Duration::from_millis(20);
/// For how long it is not tried again then.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether work that should take but a moment does. Where it doesn't, all connections of the thread that does it wait.
#[derive(Debug, Default)]
pub(super) struct Promptness {
    failed: Mutex<Option<Instant>>,
}

impl Promptness {
    /// Not if it has taken long lately.
    pub(super) fn is_expected(&self) -> bool {
        self.failed.lock().is_none_or(|failed| failed.elapsed() >= PAUSE)
    }

    /// Does the work here, and sees how long that takes. A task that does much of it lets others have their turn.
    pub(super) async fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        consume_budget().await;
        let began = Instant::now();
        let done = work();
        self.took(began.elapsed());
        done
    }

    fn took(&self, time: Duration) {
        if time > MOMENT_MAX {
            *self.failed.lock() = Some(Instant::now());
        }
    }
}

/// Panics as the other did. Otherwise it was taken off a runtime that is going down.
fn rethrow(error: JoinError) {
    if let Ok(panic) = error.try_into_panic() {
        std::panic::resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_long_moment_there_is_a_pause() {
        let promptness = Promptness::default();
        promptness.took(MOMENT_MAX);
        assert!(promptness.is_expected());
        promptness.took(MOMENT_MAX * 2);
        assert!(!promptness.is_expected());
        tokio::time::advance(PAUSE / 2).await;
        promptness.took(Duration::ZERO);
        assert!(!promptness.is_expected(), "one that was prompt makes it no shorter");
        tokio::time::advance(PAUSE / 2).await;
        assert!(promptness.is_expected());
    }
}
