//! The regular expressions that members are subscribed to: what they stand for, and when that is looked at again. All
//! of a group are resolved together, as in Kafka, with a heartbeat, and what they stand for until the next time is
//! written down.
//!
//! ```text
//!   the first that a group has                    at once
//!   one that isn't known; topics were created     10 seconds after the last time
//!   otherwise                                     group.consumer.regex.refresh.interval.ms after it
//! ```

use std::collections::BTreeSet;

use super::Draft;
use super::record::{GroupRecord, ResolvedRegex};
use super::state::State;
use super::topics::Topics;

/// How long it is left at what was found, in milliseconds, whatever happens (Kafka's
/// `REGEX_BATCH_REFRESH_MIN_INTERVAL_MS`).
const REFRESH_MIN_MS: i64 = 10_000;

impl<T> Draft<T> {
    /// A member is subscribed to another regular expression than before, or to none any more. Returns whether it is
    /// known what that stands for: if it isn't, the group goes on as it is until it has been resolved, as in Kafka.
    pub(super) fn change_regex(&mut self, regex: Option<&String>) -> bool {
        let is_known = regex.is_none_or(|regex| self.state.regexes.contains_key(regex));
        if !is_known {
            self.regexes_version = None;
        }
        is_known
    }

    /// Resolves all regular expressions if it is time to. Returns whether any stands for something else than before.
    pub(super) fn refresh_regexes(&mut self, topics: &Topics) -> bool {
        let is_outdated = self.regexes_version.is_none_or(|version| version < topics.created_version);
        let is_due = match self.state.regexes.values().map(|resolved| resolved.timestamp).max() {
            Some(last) => {
                let least_ms =
                    if is_outdated { REFRESH_MIN_MS } else { self.limits.consumer_regex_refresh_interval_ms.into() };
                self.now_ms > last.saturating_add(least_ms)
            }
            None => is_outdated,
        };
        is_due && self.resolve_regexes(topics)
    }

    fn resolve_regexes(&mut self, topics: &Topics) -> bool {
        self.regexes_version = Some(topics.version);
        // Whatever comes of it, it is compared with the topics that the group had.
        self.topics_version = None;
        let used: Vec<String> = self.state.used_regexes().into_iter().map(str::to_owned).collect();
        let mut is_changed = false;
        for regex in used {
            // One that this engine does not know stands for what Kafka has found.
            let Ok(topics) = topics.matching(&regex) else { continue };
            // What was not resolved yet stood for nothing.
            let before = self.state.regexes.get(&regex);
            is_changed |= before.map_or(!topics.is_empty(), |before| before.topics != topics);
            self.put(GroupRecord::Regex(regex, Some(ResolvedRegex { topics, version: 0, timestamp: self.now_ms })));
        }
        is_changed
    }

    /// What no member is subscribed to any more stands for nothing.
    pub(super) fn forget_unused_regexes(&mut self) {
        if self.state.regexes.is_empty() {
            return;
        }
        let used = self.state.used_regexes();
        let unused: Vec<_> = self.state.regexes.keys().filter(|regex| !used.contains(&***regex)).cloned().collect();
        unused.into_iter().for_each(|regex| self.put(GroupRecord::Regex(regex, None)));
    }
}

impl State {
    fn used_regexes(&self) -> BTreeSet<&str> {
        self.members.values().filter_map(|member| member.metadata.topic_regex.as_deref()).collect()
    }
}
