//! How many logins of one address are looked at at once by a listener: who guesses passwords over many connections
//! guesses no faster.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many logins of one address are looked at at once by a listener. One that fails counts until it is told so
/// (`connection.failed.authentication.delay.ms`), and those that come meanwhile wait: by default an address learns of
/// 80 failures a second, whatever it does. Those behind the same address who know their passwords wait their turn.
pub const CONCURRENT_LOGINS_MAX: usize = 8;

/// The logins that are being looked at, by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts(Arc<Mutex<HashMap<String, Arc<Semaphore>>>>);

/// A login that is being looked at, until it is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    attempts: Attempts,
    address: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl Attempts {
    /// Waits for the turn of a login from `address`.
    pub(super) async fn begin(&self, address: &str) -> Attempt {
        let mut attempt = Attempt { attempts: self.clone(), address: address.to_owned(), permit: None };
        let turns = {
            let mut by_address = self.0.lock();
            let turns = by_address.entry(address.to_owned());
            turns.or_insert_with(|| Arc::new(Semaphore::new(CONCURRENT_LOGINS_MAX))).clone()
        };
        // Nobody closes it.
        attempt.permit = turns.acquire_owned().await.ok();
        attempt
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut by_address = self.attempts.0.lock();
        // It has a share in the semaphore, as have those that wait.
        self.permit = None;
        if by_address.get(&self.address).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            by_address.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn begin(attempts: &Attempts, address: &str) -> Option<Attempt> {
        match pin!(attempts.begin(address)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(attempt) => Some(attempt),
            Poll::Pending => None,
        }
    }

    #[test]
    fn an_address_has_its_turns_and_leaves_nothing_behind() {
        let attempts = Attempts::default();
        let mut held: Vec<_> = (0..CONCURRENT_LOGINS_MAX).map(|_| begin(&attempts, "a").expect("its turn")).collect();
        assert!(begin(&attempts, "a").is_none(), "one too many");
        assert!(begin(&attempts, "b").is_some(), "another address");
        held.pop();
        held.push(begin(&attempts, "a").expect("its turn"));
        drop(held);
        assert!(attempts.0.lock().is_empty());
    }
}
