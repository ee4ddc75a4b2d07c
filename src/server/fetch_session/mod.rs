//! Incremental fetch sessions (KIP-227; Kafka's `FetchSession`): what a client wants is remembered, so that its
//! requests name only what it wants differently, and responses only what has changed.
//!
//! ```text
//!   session epoch   a request
//!   −1              names all that it wants, and has no session; ends the one that it had
//!    0              names all that it wants, and begins a session, if there is room; ends the one that it had
//!    1, 2, …        names what it wants differently from the one before, which had the epoch before
//! ```
//!
//! Pure state: the time and new ids are handed in. A session is looked at twice, when its request comes and when the
//! answer goes, and nothing is locked in between; the epoch tells whether another request came meanwhile.

mod partitions;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::net::ErrorCode;
use crate::net::messages::FetchRequest;
use crate::net::messages::fetch::{FetchPartition, PartitionData};
use crate::uuid::Uuid;
use partitions::Partitions;
pub(super) use partitions::is_error;

/// How many partitions the sessions may have together, for each slot. They are what takes memory.
const PARTITIONS_PER_SLOT: usize = 100;
/// A session that wasn't used for so long may go for any other, and one that is as old for a larger one. As in Kafka.
const EVICTION_MS: i64 = 120_000;

/// How much of a topic's name is hashed.
const NAME_BYTES_HASHED: usize = 249;

const NO_SESSION: i32 = 0;
const FINAL_EPOCH: i32 = -1;
const INITIAL_EPOCH: i32 = 0;

/// A topic as a request names it. In one session all are named in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TopicKey {
    Name(Arc<str>),
    Id(Uuid),
}

impl Hash for TopicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            // No topic has a longer name, and each of many partitions is looked up by what a client makes up.
            Self::Name(name) => name.as_bytes().get(..NAME_BYTES_HASHED).unwrap_or(name.as_bytes()).hash(state),
            Self::Id(id) => id.hash(state),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartitionKey {
    pub(super) topic: TopicKey,
    pub(super) partition: i32,
}

/// A partition that is wanted, and from where on.
pub(super) type Wanted = (PartitionKey, FetchPartition);

/// What there is of a partition that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) wanted: Wanted,
    pub(super) data: PartitionData,
}

/// How a request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchContext {
    /// In full.
    Sessionless,
    /// In full, and a session begins if there is room.
    Full,
    /// With what has changed. The session has this epoch from now on.
    Incremental { session_id: i32, epoch: i32 },
}

/// The sessions of all clients: a bounded number, with a bounded number of partitions.
#[derive(Debug)]
pub(super) struct FetchSessions {
    slots: usize,
    /// How many partitions one may have.
    partitions_max: usize,
    sessions: HashMap<i32, FetchSession>,
    /// The sizes of all sessions.
    size: usize,
}

#[derive(Debug)]
struct FetchSession {
    by_id: bool,
    partitions: Partitions,
    /// That of the request that must come next.
    epoch: i32,
    created_ms: i64,
    last_used_ms: i64,
}

impl FetchSessions {
    /// No sessions, and never more than `slots` (`max.incremental.fetch.session.cache.slots`), with no more partitions
    /// each than a request may name (`request.partitions.max`).
    pub(super) fn new(slots: usize, partitions_max: usize) -> Self {
        Self { slots, partitions_max, sessions: HashMap::new(), size: 0 }
    }

    /// Takes in a request: how it is to be answered, and all partitions that the client wants by now, each once and in
    /// the order in which they are to be served. With `by_id` it names topics by their ids.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FETCH_SESSION_ID_NOT_FOUND`], [`ErrorCode::INVALID_FETCH_SESSION_EPOCH`] and
    /// [`ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR`], after which the client begins anew.
    pub(super) fn begin(
        &mut self,
        request: &FetchRequest,
        by_id: bool,
        now_ms: i64,
    ) -> Result<(FetchContext, Vec<Wanted>), ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if matches!(epoch, INITIAL_EPOCH | FINAL_EPOCH) {
            self.remove(id);
            let context = if epoch == INITIAL_EPOCH { FetchContext::Full } else { FetchContext::Sessionless };
            return Ok((context, wanted_by(request, by_id).collect::<Partitions>().in_order()));
        }
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        self.size -= session.partitions.size();
        wanted_by(request, by_id).for_each(|(key, fetch)| session.partitions.put(key, fetch));
        forgotten_by(request, by_id).for_each(|key| session.partitions.remove(&key));
        self.size += session.partitions.size();
        session.epoch = next_epoch(epoch);
        session.last_used_ms = now_ms;
        let (epoch, partitions) = (session.epoch, session.partitions.in_order());
        if partitions.is_empty() {
            self.remove(id);
            return Ok((FetchContext::Sessionless, partitions));
        }
        if self.size > self.size_max() || partitions.len() > self.partitions_max {
            // The client asks in full then, and that may find room or not.
            self.remove(id);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        Ok((FetchContext::Incremental { session_id: id, epoch }, partitions))
    }

    /// Makes of all answers those that are to be sent, and returns the id of the client's session with them, 0 if it
    /// has none.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::INVALID_FETCH_SESSION_EPOCH`] if another request of the session has come since.
    pub(super) fn finish(
        &mut self,
        context: FetchContext,
        answers: Vec<Answer>,
        by_id: bool,
        now_ms: i64,
        new_id: impl FnMut() -> i32,
    ) -> Result<(i32, Vec<Answer>), ErrorCode> {
        let (session_id, epoch) = match context {
            FetchContext::Sessionless => return Ok((NO_SESSION, answers)),
            FetchContext::Full => return Ok((self.create(&answers, by_id, now_ms, new_id), answers)),
            FetchContext::Incremental { session_id, epoch } => (session_id, epoch),
        };
        match self.sessions.get_mut(&session_id) {
            // It had to make room for another. The next request will find out.
            None => Ok((session_id, answers)),
            Some(session) if session.epoch != epoch => Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH),
            Some(session) => {
                let changed = |answer: &Answer| session.partitions.note_answer(&answer.wanted.0, &answer.data);
                Ok((session_id, answers.into_iter().filter(changed).collect()))
            }
        }
    }

    /// Begins a session of which the client knows these answers. Returns its id, 0 if there is no room.
    fn create(&mut self, answers: &[Answer], by_id: bool, now_ms: i64, new_id: impl FnMut() -> i32) -> i32 {
        let mut partitions: Partitions = answers.iter().map(|answer| answer.wanted.clone()).collect();
        for Answer { wanted: (key, _), data } in answers {
            partitions.note_answer(key, data);
        }
        if !self.make_room(partitions.size(), now_ms) {
            return NO_SESSION;
        }
        let is_free = |id: &i32| *id > NO_SESSION && !self.sessions.contains_key(id);
        let Some(id) = std::iter::repeat_with(new_id).find(is_free) else { return NO_SESSION };
        self.size += partitions.size();
        let epoch = next_epoch(INITIAL_EPOCH);
        let session = FetchSession { by_id, partitions, epoch, created_ms: now_ms, last_used_ms: now_ms };
        self.sessions.insert(id, session);
        id
    }

    /// Whether a session of this size fits, if need be in the place of others.
    fn make_room(&mut self, size: usize, now_ms: i64) -> bool {
        if size > self.size_max() {
            return false;
        }
        while self.sessions.len() >= self.slots || self.size + size > self.size_max() {
            match self.evictable(size, now_ms) {
                Some(id) => self.remove(id),
                None => return false,
            }
        }
        true
    }

    /// The session that goes for one of this size, by Kafka's rule.
    fn evictable(&self, size: usize, now_ms: i64) -> Option<i32> {
        let is_long_ago = |then_ms: i64| now_ms.saturating_sub(then_ms) > EVICTION_MS;
        let last_used = self.sessions.iter().min_by_key(|(id, session)| (session.last_used_ms, **id));
        let stale = last_used.filter(|(_, session)| is_long_ago(session.last_used_ms));
        let smaller = || {
            let old = self.sessions.iter().filter(|(_, session)| is_long_ago(session.created_ms));
            let smallest = old.min_by_key(|(id, session)| (session.partitions.size(), **id));
            smallest.filter(|(_, session)| session.partitions.size() < size)
        };
        stale.or_else(smaller).map(|(id, _)| *id)
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.size -= session.partitions.size();
        }
    }

    fn size_max(&self) -> usize {
        self.slots.saturating_mul(PARTITIONS_PER_SLOT)
    }
}

fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

fn topic_key(name: &str, id: Uuid, by_id: bool) -> TopicKey {
    if by_id { TopicKey::Id(id) } else { TopicKey::Name(name.into()) }
}

fn wanted_by(request: &FetchRequest, by_id: bool) -> impl Iterator<Item = Wanted> {
    request.topics.iter().flat_map(move |topic| {
        let key = topic_key(&topic.topic, topic.topic_id, by_id);
        topic
            .partitions
            .iter()
            .map(move |fetch| (PartitionKey { topic: key.clone(), partition: fetch.partition }, fetch.clone()))
    })
}

fn forgotten_by(request: &FetchRequest, by_id: bool) -> impl Iterator<Item = PartitionKey> {
    request.forgotten_topics_data.iter().flat_map(move |topic| {
        let key = topic_key(&topic.topic, topic.topic_id, by_id);
        topic.partitions.iter().map(move |partition| PartitionKey { topic: key.clone(), partition: *partition })
    })
}
