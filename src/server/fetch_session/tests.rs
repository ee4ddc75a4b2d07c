//! What a client assembles from increments is what full fetches would have told it.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::net::messages::fetch::{FetchTopic, ForgottenTopic};

/// A name of topic number `topic`, and an id.
fn name_and_id(topic: u8) -> (String, Uuid) {
    (format!("t{topic}"), Uuid::from_bytes([topic + 1; 16]))
}

fn key(by_id: bool, topic: u8, partition: i32) -> PartitionKey {
    let (name, id) = name_and_id(topic);
    PartitionKey { topic: topic_key(&name, id, by_id), partition }
}

fn fetch(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, ..Default::default() }
}

fn request(session: (i32, i32), wanted: &[(u8, i32, i64)], forgotten: &[(u8, i32)]) -> FetchRequest {
    let topics = wanted.iter().map(|(topic, partition, offset)| {
        let ((topic, topic_id), partitions) = (name_and_id(*topic), vec![fetch(*partition, *offset)]);
        FetchTopic { topic, topic_id, partitions }
    });
    let forgotten = forgotten.iter().map(|(topic, partition)| {
        let ((topic, topic_id), partitions) = (name_and_id(*topic), vec![*partition]);
        ForgottenTopic { topic, topic_id, partitions }
    });
    FetchRequest {
        session_id: session.0,
        session_epoch: session.1,
        topics: topics.collect(),
        forgotten_topics_data: forgotten.collect(),
        ..Default::default()
    }
}

/// A partition without records.
fn idle(wanted: &Wanted) -> Answer {
    let data = PartitionData {
        partition_index: wanted.0.partition,
        high_watermark: 5,
        log_start_offset: 0,
        records: Some(Default::default()),
        ..Default::default()
    };
    Answer { wanted: wanted.clone(), data }
}

fn partitions_of(wanted: &[Wanted]) -> Vec<(i32, i64)> {
    wanted.iter().map(|(key, fetch)| (key.partition, fetch.fetch_offset)).collect()
}

/// Begins a session with as many partitions, and returns its id.
fn begin_session(sessions: &mut FetchSessions, partitions: i32, now_ms: i64, id: i32) -> i32 {
    let wanted: Vec<_> = (0..partitions).map(|partition| (0, partition, 0)).collect();
    let (context, wanted) = sessions.begin(&request((0, 0), &wanted, &[]), false, now_ms).unwrap();
    assert_eq!(context, FetchContext::Full);
    let answers = wanted.iter().map(idle).collect();
    let (session, answers) = sessions.finish(context, answers, false, now_ms, || id).unwrap();
    assert_eq!(answers.len(), partitions as usize, "all are told");
    session
}

/// Sends what changes, and returns the partitions that are answered if none has records.
fn increment(
    sessions: &mut FetchSessions,
    session: (i32, i32),
    wanted: &[(u8, i32, i64)],
    forgotten: &[(u8, i32)],
) -> Result<Vec<i32>, ErrorCode> {
    let (context, wanted) = sessions.begin(&request(session, wanted, forgotten), false, 0)?;
    let answers = wanted.iter().map(idle).collect();
    let (_, answers) = sessions.finish(context, answers, false, 0, || 1)?;
    Ok(answers.iter().map(|answer| answer.data.partition_index).collect())
}

#[test]
fn a_session_remembers_what_is_wanted_and_what_is_known() {
    let mut sessions = FetchSessions::new(10, 1000);
    assert_eq!(begin_session(&mut sessions, 3, 0, 7), 7);
    assert_eq!(increment(&mut sessions, (7, 1), &[], &[]), Ok(vec![]));
    // One is new, one is wanted from elsewhere on, and one not any more.
    let changes = request((7, 2), &[(0, 9, 4), (0, 1, 3)], &[(0, 0)]);
    let (context, wanted) = sessions.begin(&changes, false, 0).unwrap();
    assert_eq!(context, FetchContext::Incremental { session_id: 7, epoch: 3 });
    assert_eq!(partitions_of(&wanted), [(1, 3), (2, 0), (9, 4)]);
    let answers = wanted.iter().map(idle).collect();
    let (_, answers) = sessions.finish(context, answers, false, 0, || 1).unwrap();
    assert_eq!(answers.len(), 1, "nothing is known of the new one alone");
    // With the last of them the session ends.
    assert_eq!(increment(&mut sessions, (7, 3), &[], &[(0, 1), (0, 2), (0, 9)]), Ok(vec![]));
    assert_eq!(increment(&mut sessions, (7, 4), &[], &[]), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!((sessions.size, sessions.sessions.len()), (0, 0));
}

#[test]
fn a_session_does_not_grow_beyond_what_a_request_may_name() {
    let mut sessions = FetchSessions::new(10, 3);
    assert_eq!(begin_session(&mut sessions, 2, 0, 7), 7);
    assert_eq!(increment(&mut sessions, (7, 1), &[(0, 8, 0)], &[]), Ok(vec![8]));
    assert_eq!(increment(&mut sessions, (7, 2), &[(0, 9, 0)], &[]), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!((sessions.size, sessions.sessions.len()), (0, 0));
}

#[test]
fn a_request_out_of_turn_is_refused() {
    let mut sessions = FetchSessions::new(10, 1000);
    let id = begin_session(&mut sessions, 1, 0, 7);
    for epoch in [2, 3, -2, i32::MAX] {
        assert_eq!(increment(&mut sessions, (id, epoch), &[], &[]), Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
    }
    assert_eq!(increment(&mut sessions, (8, 1), &[], &[]), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    let by_id = sessions.begin(&request((id, 1), &[], &[]), true, 0);
    assert_eq!(by_id.unwrap_err(), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    // One that comes while another is answered takes its place.
    let (first, wanted) = sessions.begin(&request((id, 1), &[], &[]), false, 0).unwrap();
    let (second, _) = sessions.begin(&request((id, 2), &[], &[]), false, 0).unwrap();
    let answers: Vec<_> = wanted.iter().map(idle).collect();
    let refused = sessions.finish(first, answers.clone(), false, 0, || 1);
    assert_eq!(refused.unwrap_err(), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert!(sessions.finish(second, answers, false, 0, || 1).is_ok());
    // A full fetch ends the session, whether it begins another or not.
    let id = begin_session(&mut sessions, 1, 0, 9);
    let (context, _) = sessions.begin(&request((id, FINAL_EPOCH), &[(0, 0, 0)], &[]), false, 0).unwrap();
    assert_eq!(context, FetchContext::Sessionless);
    assert_eq!(increment(&mut sessions, (id, 1), &[], &[]), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
}

#[test]
fn epochs_go_round() {
    let mut sessions = FetchSessions::new(10, 1000);
    let id = begin_session(&mut sessions, 1, 0, 7);
    sessions.sessions.get_mut(&id).unwrap().epoch = i32::MAX;
    assert_eq!(increment(&mut sessions, (id, i32::MAX), &[], &[]), Ok(vec![]));
    assert_eq!(increment(&mut sessions, (id, 1), &[], &[]), Ok(vec![]));
}

#[test]
fn a_partition_is_wanted_once() {
    let mut sessions = FetchSessions::new(10, 1000);
    let twice = request((0, FINAL_EPOCH), &[(0, 0, 1), (0, 1, 2), (0, 0, 3), (1, 0, 4)], &[]);
    for by_id in [false, true] {
        let (_, wanted) = sessions.begin(&twice, by_id, 0).unwrap();
        assert_eq!(partitions_of(&wanted), [(0, 3), (1, 2), (0, 4)]);
        assert_eq!(wanted[2].0, key(by_id, 1, 0));
    }
}

/// Kafka's rule: what wasn't used for two minutes goes for anybody, and what is as old for something larger.
#[test]
fn old_sessions_make_room() {
    let mut sessions = FetchSessions::new(2, 1000);
    assert_eq!(begin_session(&mut sessions, 2, 0, 1), 1);
    assert_eq!(begin_session(&mut sessions, 3, 1, 2), 2);
    assert_eq!(begin_session(&mut sessions, 50, EVICTION_MS, 3), NO_SESSION, "neither is old");
    let touch = |sessions: &mut FetchSessions, session, now_ms| {
        sessions.begin(&request(session, &[], &[]), false, now_ms).map(drop)
    };
    touch(&mut sessions, (1, 1), EVICTION_MS).unwrap();
    touch(&mut sessions, (2, 1), EVICTION_MS).unwrap();
    assert_eq!(begin_session(&mut sessions, 2, EVICTION_MS + 2, 3), NO_SESSION, "both are used, and none is smaller");
    assert_eq!(begin_session(&mut sessions, 3, EVICTION_MS + 2, 3), 3, "the smaller one goes");
    assert_eq!(touch(&mut sessions, (1, 2), EVICTION_MS + 2), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!(begin_session(&mut sessions, 1, 2 * EVICTION_MS + 1, 4), 4, "one is not used any more");
    assert_eq!(touch(&mut sessions, (2, 2), 0), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!(sessions.size, 4);
    assert_eq!(begin_session(&mut FetchSessions::new(0, 1000), 1, 0, 1), NO_SESSION);
}

#[test]
fn partitions_are_bounded_too() {
    let mut sessions = FetchSessions::new(1, 1000);
    let max = PARTITIONS_PER_SLOT as i32;
    assert_eq!(begin_session(&mut sessions, max + 1, 0, 1), NO_SESSION);
    let id = begin_session(&mut sessions, max, 0, 1);
    assert_eq!(increment(&mut sessions, (id, 1), &[(0, max, 0)], &[(0, 0)]), Ok(vec![max]));
    let refused = increment(&mut sessions, (id, 2), &[(0, max + 1, 0)], &[]);
    assert_eq!(refused, Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!((sessions.size, sessions.sessions.len()), (0, 0));
    // A name that is none counts by its length.
    let id = begin_session(&mut sessions, 1, 0, 1);
    let mut long = request((id, 1), &[(0, 0, 0)], &[]);
    long.topics[0].topic = "x".repeat(i16::MAX as usize);
    let refused = sessions.begin(&long, false, 0);
    assert_eq!(refused.unwrap_err(), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_partition_that_always_has_records_does_not_starve_the_others() {
    let mut sessions = FetchSessions::new(10, 1000);
    let id = begin_session(&mut sessions, 5, 0, 7);
    let mut served = Vec::new();
    for epoch in 1..=10 {
        let (context, wanted) = sessions.begin(&request((id, epoch), &[], &[]), false, 0).unwrap();
        let mut answers: Vec<_> = wanted.iter().map(idle).collect();
        // All have records, and there is room for those of one.
        answers[0].data.records = Some(Bytes::from_static(b"records").into());
        let (_, answers) = sessions.finish(context, answers, false, 0, || 1).unwrap();
        served.extend(answers.iter().map(|answer| answer.data.partition_index));
    }
    assert_eq!(served, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
}

/// A partition as it is now.
#[derive(Clone, Debug, Default)]
struct State {
    high_watermark: i64,
    last_stable_offset: i64,
    log_start_offset: i64,
    error_code: ErrorCode,
}

impl State {
    /// What a fetch from `offset` on gets, which has as many bytes as there are records.
    fn answer(&self, wanted: &Wanted) -> Answer {
        let records = vec![b'r'; usize::try_from(self.high_watermark - wanted.1.fetch_offset).unwrap_or(0)];
        let data = match self.error_code {
            ErrorCode::NONE => PartitionData {
                partition_index: wanted.0.partition,
                high_watermark: self.high_watermark,
                last_stable_offset: self.last_stable_offset,
                log_start_offset: self.log_start_offset,
                records: Some(Bytes::from(records).into()),
                ..Default::default()
            },
            error_code => PartitionData {
                partition_index: wanted.0.partition,
                error_code,
                // Whatever comes with an error counts for nothing.
                high_watermark: self.high_watermark,
                last_stable_offset: self.last_stable_offset,
                log_start_offset: self.log_start_offset,
                records: Some(Default::default()),
                ..Default::default()
            },
        };
        Answer { wanted: wanted.clone(), data }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize, i64),
    MoveStable(usize),
    MoveStart(usize),
    Fail(usize),
    Recover(usize),
    Want(usize, i64),
    Forget(usize),
    /// A fetch; if it is lost, its answer doesn't arrive.
    Fetch {
        is_lost: bool,
    },
    /// Another client begins a session after a while.
    Intrude {
        partitions: i32,
        wait_ms: i64,
    },
}

const PARTITIONS: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let at = 0..PARTITIONS;
    prop_oneof![
        1 => (at.clone(), 1..5_i64).prop_map(|(at, count)| Step::Append(at, count)),
        1 => at.clone().prop_map(Step::MoveStable),
        1 => at.clone().prop_map(Step::MoveStart),
        1 => at.clone().prop_map(Step::Fail),
        1 => at.clone().prop_map(Step::Recover),
        1 => (at.clone(), 0..20_i64).prop_map(|(at, offset)| Step::Want(at, offset)),
        1 => at.prop_map(Step::Forget),
        4 => prop::bool::weighted(0.1).prop_map(|is_lost| Step::Fetch { is_lost }),
        1 => (1..6, 0..EVICTION_MS).prop_map(|(partitions, wait_ms)| Step::Intrude { partitions, wait_ms }),
    ]
}

/// A client as Kafka's `FetchSessionHandler`: it keeps what it wants, what the broker knows of that, and what it was
/// told.
#[derive(Default)]
struct Client {
    session: (i32, i32),
    wanted: HashMap<usize, i64>,
    sent: HashMap<usize, i64>,
    told: HashMap<usize, PartitionData>,
}

impl Client {
    fn next_request(&self) -> FetchRequest {
        let is_full = self.session.1 == INITIAL_EPOCH;
        let changed = self.wanted.iter().filter(|(at, offset)| is_full || self.sent.get(at) != Some(offset));
        let changed: Vec<_> = changed.map(|(at, offset)| (0, *at as i32, *offset)).collect();
        let forgotten = self.sent.keys().filter(|at| !is_full && !self.wanted.contains_key(at));
        let forgotten: Vec<_> = forgotten.map(|at| (0, *at as i32)).collect();
        request(self.session, &changed, &forgotten)
    }

    fn take_in(&mut self, is_full: bool, session_id: i32, answers: &[Answer]) {
        if is_full {
            self.told.clear();
        }
        self.told.retain(|at, _| self.wanted.contains_key(at));
        for answer in answers {
            let at = answer.data.partition_index as usize;
            assert!(self.wanted.contains_key(&at), "nothing else is told of");
            self.told.insert(at, answer.data.clone());
        }
        self.session = match session_id {
            NO_SESSION => (NO_SESSION, INITIAL_EPOCH),
            id => (id, next_epoch(self.session.1)),
        };
    }
}

proptest! {
    #[test]
    fn increments_add_up_to_full_fetches(steps in prop::collection::vec(step(), 1..120), by_id: bool) {
        let mut sessions = FetchSessions::new(2, 1000);
        let (mut now_ms, mut last_id) = (0, 0);
        let mut new_id = move || { last_id += 1; last_id };
        let mut states = vec![State::default(); PARTITIONS];
        let mut client = Client::default();
        for step in steps {
            match step {
                Step::Append(at, count) => states[at].high_watermark += count,
                Step::MoveStable(at) => states[at].last_stable_offset = states[at].high_watermark,
                Step::MoveStart(at) => states[at].log_start_offset = states[at].high_watermark,
                Step::Fail(at) => states[at].error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER,
                Step::Recover(at) => states[at].error_code = ErrorCode::NONE,
                Step::Want(at, offset) => drop(client.wanted.insert(at, offset)),
                Step::Forget(at) => drop(client.wanted.remove(&at)),
                Step::Intrude { partitions, wait_ms } => {
                    now_ms += wait_ms;
                    begin_session(&mut sessions, partitions, now_ms, new_id());
                }
                Step::Fetch { is_lost } => {
                    let is_full = client.session.1 == INITIAL_EPOCH;
                    let began = sessions.begin(&client.next_request(), by_id, now_ms);
                    let Ok((context, wanted)) = began else {
                        prop_assert!(!is_full, "a full fetch always is answered");
                        client.session = (client.session.0, INITIAL_EPOCH);
                        continue;
                    };
                    client.sent = client.wanted.clone();
                    let full: HashMap<usize, Answer> =
                        wanted.iter().map(|one| (one.0.partition as usize, states[one.0.partition as usize].answer(one))).collect();
                    let offsets: HashMap<usize, i64> =
                        wanted.iter().map(|one| (one.0.partition as usize, one.1.fetch_offset)).collect();
                    if client.session.0 == NO_SESSION || context != FetchContext::Sessionless {
                        prop_assert_eq!(&offsets, &client.wanted, "all that is wanted is looked at");
                    }
                    let answers = wanted.iter().map(|one| full[&(one.0.partition as usize)].clone()).collect();
                    let (session_id, answers) = sessions.finish(context, answers, by_id, now_ms, &mut new_id).unwrap();
                    if is_lost {
                        client.session = (client.session.0, INITIAL_EPOCH);
                        continue;
                    }
                    client.take_in(is_full, session_id, &answers);
                    for (at, answer) in &full {
                        let told = &client.told[at];
                        let mut expected = answer.data.clone();
                        if !answers.contains(answer) {
                            prop_assert!(expected.records.as_ref().unwrap().is_empty(), "records are always sent");
                            expected.records = told.records.clone();
                        }
                        prop_assert_eq!(told, &expected);
                    }
                }
            }
            prop_assert!(sessions.sessions.len() <= 2);
            let sizes: usize = sessions.sessions.values().map(|session| session.partitions.size()).sum();
            prop_assert_eq!(sizes, sessions.size);
        }
    }
}
