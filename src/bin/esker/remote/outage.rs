//! A time in which brokers can't be reached, or can't do what they are asked: how long to wait from one try to the
//! next, and for how long there are any.

use std::time::{Duration, Instant};

use super::trouble::Trouble;
use crate::failure::{Failure, tell};

/// How long to wait before the first further try, and before any (`reconnect.backoff.ms`, `reconnect.backoff.max.ms`).
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// What passes sooner is not worth a word: a connection that is made anew, a leader that is elected.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// What is known of the outage, if there is one.
#[derive(Debug)]
pub(super) struct Outage {
    /// For how long there are further tries; None for ever.
    patience: Option<Duration>,
    ongoing: Option<Ongoing>,
}

#[derive(Debug)]
struct Ongoing {
    since: Instant,
    next_try: Instant,
    backoff: Duration,
    is_told: bool,
}

impl Outage {
    /// None yet.
    pub(super) fn new(patience: Option<Duration>) -> Self {
        Self { patience, ongoing: None }
    }

    /// Takes in that another try failed. Fails if it was the last.
    pub(super) fn go_on(&mut self, trouble: Trouble, now: Instant) -> Result<(), Failure> {
        let begun = || Ongoing { since: now, next_try: now, backoff: BACKOFF, is_told: false };
        let ongoing = self.ongoing.get_or_insert_with(begun);
        let lasted = now.duration_since(ongoing.since);
        if let Some(patience) = self.patience.filter(|patience| lasted >= *patience) {
            return Err(Failure::from(trouble).within(format!("gave up after {} s", patience.as_secs())));
        }
        if lasted >= TOLD_AFTER && !ongoing.is_told {
            ongoing.is_told = true;
            let until =
                self.patience.map_or("it is back".to_owned(), |patience| format!("{} s are over", patience.as_secs()));
            tell("warning", format_args!("{}; trying again until {until}", Failure::from(trouble)));
        }
        ongoing.next_try = now + ongoing.backoff;
        ongoing.backoff = BACKOFF_MAX.min(ongoing.backoff * 2);
        Ok(())
    }

    /// How long to wait until the next try.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.ongoing.as_ref().map_or(Duration::ZERO, |ongoing| ongoing.next_try.saturating_duration_since(now))
    }

    /// A try did not fail.
    pub(super) fn end(&mut self) {
        self.ongoing = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Trouble {
        Trouble::Lost(Failure::new("lost the connection"))
    }

    /// How long is waited between the tries that begin then, in milliseconds.
    fn waits(outage: &mut Outage, now: &mut Instant, tries: usize) -> Vec<u128> {
        let mut wait = || {
            outage.go_on(lost(), *now).map_err(|failure| failure.to_string()).unwrap();
            let wait = outage.wait(*now);
            *now += wait;
            wait.as_millis()
        };
        std::iter::repeat_with(&mut wait).take(tries).collect()
    }

    #[test]
    fn tries_become_rarer_until_one_succeeds() {
        let (mut outage, mut now) = (Outage::new(None), Instant::now());
        assert_eq!(outage.wait(now), Duration::ZERO);
        assert_eq!(waits(&mut outage, &mut now, 7), [50, 100, 200, 400, 800, 1000, 1000]);
        outage.end();
        assert_eq!(outage.wait(now), Duration::ZERO);
        assert_eq!(waits(&mut outage, &mut now, 2), [50, 100]);
    }

    #[test]
    fn patience_ends_and_begins_anew_after_a_success() {
        let (mut outage, mut now) = (Outage::new(Some(Duration::from_secs(60))), Instant::now());
        for _ in 0..2 {
            let began = now;
            outage.go_on(lost(), now).map_err(|failure| failure.to_string()).unwrap();
            now = began + Duration::from_millis(59_999);
            outage.go_on(lost(), now).map_err(|failure| failure.to_string()).unwrap();
            now = began + Duration::from_secs(60);
            let failure = outage.go_on(lost(), now).unwrap_err();
            assert_eq!(failure.to_string(), "gave up after 60 s: lost the connection");
            outage.end();
        }
    }

    #[test]
    fn some_wait_for_ever() {
        let (mut outage, now) = (Outage::new(None), Instant::now());
        for days in 0..30 {
            outage
                .go_on(lost(), now + Duration::from_secs(days * 86_400))
                .map_err(|failure| failure.to_string())
                .unwrap();
        }
    }
}
