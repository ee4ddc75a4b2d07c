//! A bound on tests that wait for what should come soon: where it doesn't come they fail, and don't wait for ever.

use std::time::Duration;

/// Awaits what has all the time that it can need, and panics when that is over.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("what is waited for comes within a minute")
}
