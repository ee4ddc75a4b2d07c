//! The assignors: what Kafka's assign in known cases, and what must hold whoever subscribes to what.

use std::collections::{BTreeMap, BTreeSet};

use esker::TopicPartition;
use esker::coordinator::{
    Assignment, CooperativeStickyAssignor, Members, PartitionAssignor, RangeAssignor, RebalanceProtocol,
    RoundRobinAssignor, StickyAssignor, Subscription,
};

use crate::common::cases::try_seeds;
use crate::common::random::Random;

type Counts = BTreeMap<String, i32>;
type Assigned = BTreeMap<String, Vec<TopicPartition>>;

fn counts(topics: &[(&str, i32)]) -> Counts {
    topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
}

fn member(topics: &[&str]) -> Subscription {
    Subscription { topics: topics.iter().map(|topic| (*topic).to_owned()).collect(), ..Subscription::default() }
}

fn members(members: &[(&str, &[&str])]) -> Members {
    members.iter().map(|(id, topics)| ((*id).to_owned(), member(topics))).collect()
}

/// "a: t-0 t-1, b: t-2"
fn shown(assigned: &Assigned) -> String {
    let show = |(member, partitions): (&String, &Vec<TopicPartition>)| {
        let partitions: Vec<String> = partitions.iter().map(ToString::to_string).collect();
        format!("{member}: {}", partitions.join(" "))
    };
    assigned.iter().map(show).collect::<Vec<_>>().join(", ")
}

#[test]
fn they_assign_as_kafkas_do() {
    let (two, both) = (counts(&[("t1", 3), ("t2", 3)]), members(&[("a", &["t1", "t2"]), ("b", &["t1", "t2"])]));
    let cases: [(&dyn PartitionAssignor, &str); 4] = [
        (&RangeAssignor, "a: t1-0 t1-1 t2-0 t2-1, b: t1-2 t2-2"),
        (&RoundRobinAssignor, "a: t1-0 t1-2 t2-1, b: t1-1 t2-0 t2-2"),
        (&StickyAssignor, "a: t1-0 t1-2 t2-1, b: t1-1 t2-0 t2-2"),
        (&CooperativeStickyAssignor, "a: t1-0 t1-2 t2-1, b: t1-1 t2-0 t2-2"),
    ];
    for (assignor, expected) in cases {
        assert_eq!(shown(&assignor.assign(&two, &both)), expected, "{}", assignor.name());
    }
    // The example in the documentation of Kafka's round robin, and what its sticky assignor is said to do better.
    let counts = counts(&[("t0", 1), ("t1", 2), ("t2", 3)]);
    let mixed = members(&[("c0", &["t0"]), ("c1", &["t0", "t1"]), ("c2", &["t0", "t1", "t2"])]);
    let round_robin = RoundRobinAssignor.assign(&counts, &mixed);
    assert_eq!(shown(&round_robin), "c0: t0-0, c1: t1-0, c2: t1-1 t2-0 t2-1 t2-2");
    let sticky = StickyAssignor.assign(&counts, &mixed);
    assert_eq!(shown(&sticky), "c0: t0-0, c1: t1-0 t1-1, c2: t2-0 t2-1 t2-2");
}

#[test]
fn static_members_come_first_by_their_names() {
    let mut three = members(&[("a", &["t"]), ("b", &["t"]), ("c", &["t"])]);
    three.get_mut("c").unwrap().group_instance_id = Some("x".into());
    three.get_mut("b").unwrap().group_instance_id = Some("y".into());
    for assignor in [&RangeAssignor as &dyn PartitionAssignor, &RoundRobinAssignor] {
        assert_eq!(shown(&assignor.assign(&counts(&[("t", 3)]), &three)), "a: t-2, b: t-1, c: t-0");
    }
}

#[test]
fn sticky_members_tell_what_they_had() {
    let had = [TopicPartition::new("t", 1), TopicPartition::new("t", 3)];
    assert_eq!(StickyAssignor.user_data(None), None);
    let user_data = StickyAssignor.user_data(Some((&had, 7))).unwrap();
    // One topic "t", two partitions, generation 7: as Kafka's schema has it.
    let expected = b"\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x01\0\0\0\x03\0\0\0\x07";
    assert_eq!(&user_data[..], expected);
    assert_eq!(&CooperativeStickyAssignor.user_data(Some((&had, 7))).unwrap()[..], b"\0\0\0\x07");
    assert_eq!(&CooperativeStickyAssignor.user_data(None).unwrap()[..], b"\xff\xff\xff\xff");
    let mut two = members(&[("a", &["t"]), ("b", &["t"])]);
    two.get_mut("b").unwrap().user_data = Some(user_data);
    assert_eq!(shown(&StickyAssignor.assign(&counts(&[("t", 4)]), &two)), "a: t-0 t-2, b: t-1 t-3");
    // Before generations were told, and when it can't be understood.
    two.get_mut("b").unwrap().user_data = Some(expected[..expected.len() - 4].to_vec().into());
    assert_eq!(shown(&StickyAssignor.assign(&counts(&[("t", 4)]), &two)), "a: t-0 t-2, b: t-1 t-3");
    two.get_mut("b").unwrap().user_data = Some(b"\0".to_vec().into());
    assert_eq!(shown(&StickyAssignor.assign(&counts(&[("t", 4)]), &two)), "a: t-0 t-2, b: t-1 t-3");
}

#[test]
fn of_two_that_claim_the_same_the_later_generation_counts() {
    let owned = vec![TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
    let claims = |a: i32, b: i32| {
        let mut two = members(&[("a", &["t"]), ("b", &["t"])]);
        for (id, generation) in [("a", a), ("b", b)] {
            let member = two.get_mut(id).unwrap();
            (member.owned_partitions, member.generation) = (owned.clone(), Some(generation));
        }
        shown(&CooperativeStickyAssignor.assign(&counts(&[("t", 3)]), &two))
    };
    assert_eq!(claims(2, 1), "a: t-0 t-1, b: t-2");
    assert_eq!(claims(1, 2), "a: t-2, b: t-0 t-1");
    // Neither keeps it: it is given out when both have given it up.
    assert_eq!(claims(2, 2), "a: t-2, b: ");
}

/// What members of a random group subscribe to, and have.
struct Group {
    counts: Counts,
    members: Members,
    generation: i32,
}

impl Group {
    fn random(random: &mut Random, all_the_same: bool) -> Self {
        let topics: Vec<String> = (0..1 + random.below(4)).map(|topic| format!("t{topic}")).collect();
        let counts = topics.iter().map(|topic| (topic.clone(), random.below(8) as i32)).collect();
        let mut group = Self { counts, members: Members::new(), generation: 1 };
        for member in 0..1 + random.below(6) {
            group.join(random, &format!("m{member}"), all_the_same);
        }
        group
    }

    fn join(&mut self, random: &mut Random, id: &str, all_the_same: bool) {
        let topics = self.counts.keys().filter(|_| all_the_same || random.one_in(2)).cloned().collect();
        self.members.insert(id.to_owned(), Subscription { topics, ..Subscription::default() });
    }

    fn assign(&self, assignor: &dyn PartitionAssignor) -> Assigned {
        let is_wanted = |topic: &String| self.members.values().any(|member| member.topics.contains(topic));
        let wanted = self.counts.iter().filter(|(topic, _)| is_wanted(topic));
        assignor.assign(&wanted.map(|(topic, count)| (topic.clone(), *count)).collect(), &self.members)
    }

    /// Everybody has what was assigned.
    fn take(&mut self, assignor: &dyn PartitionAssignor, assigned: &Assigned) {
        for (id, member) in &mut self.members {
            let partitions = assigned.get(id).cloned().unwrap_or_default();
            member.user_data = assignor.user_data(Some((&partitions, self.generation)));
            if assignor.protocol() == RebalanceProtocol::Cooperative {
                (member.owned_partitions, member.generation) = (partitions, Some(self.generation));
            }
            // What members say goes over the wire.
            *member = Subscription::decode(&member.encode()).unwrap();
        }
        self.generation += 1;
    }

    /// Whether each partition that anybody wants has one owner, who wants it.
    fn check(&self, assigned: &Assigned) -> Result<(), String> {
        let mut owned = BTreeSet::new();
        for (member, partitions) in assigned {
            for partition in partitions {
                let wants = self.members[member].topics.iter().any(|topic| **topic == *partition.topic);
                let exists = (0..self.counts[&*partition.topic]).contains(&partition.partition);
                if !wants || !exists || !owned.insert(partition) {
                    return Err(format!("{member} should not get {partition} of {}", shown(assigned)));
                }
            }
        }
        let wanted = self.counts.iter().filter(|(topic, _)| self.members.values().any(|m| m.topics.contains(topic)));
        let wanted: i32 = wanted.map(|(_, count)| count).sum();
        match owned.len() == wanted as usize {
            true => Ok(()),
            false => Err(format!("{wanted} partitions are wanted: {}", shown(assigned))),
        }
    }

    /// Whether nobody has two more than one who could have one of them.
    fn check_balance(&self, assigned: &Assigned) -> Result<(), String> {
        for (less, member) in &self.members {
            for (more, partitions) in assigned {
                let wants = |partition: &TopicPartition| member.topics.iter().any(|topic| **topic == *partition.topic);
                let has = assigned.get(less).map_or(0, Vec::len);
                if partitions.len() > has + 1 && partitions.iter().any(wants) {
                    return Err(format!("{more} has more than {less}: {}", shown(assigned)));
                }
            }
        }
        Ok(())
    }
}

const ASSIGNORS: [&dyn PartitionAssignor; 4] =
    [&RangeAssignor, &RoundRobinAssignor, &StickyAssignor, &CooperativeStickyAssignor];

#[test]
fn each_partition_has_one_owner_and_nobody_has_too_many() {
    try_seeds(500, |seed| {
        let mut random = Random::new(seed);
        let all_the_same = random.one_in(2);
        let group = Group::random(&mut random, all_the_same);
        for assignor in ASSIGNORS {
            let located = |error| format!("seed {seed}, {}: {error}", assignor.name());
            let assigned = group.assign(assignor);
            group.check(&assigned).map_err(located)?;
            if all_the_same && assignor.name() != "range" || assignor.name().ends_with("sticky") {
                group.check_balance(&assigned).map_err(located)?;
            }
        }
        Ok(())
    });
}

/// How many partitions have another owner than before.
fn moved(before: &Assigned, after: &Assigned) -> usize {
    let had =
        |member: &String, partition: &TopicPartition| before.get(member).is_some_and(|had| had.contains(partition));
    after.iter().flat_map(|(member, has)| has.iter().filter(move |partition| !had(member, partition))).count()
}

#[test]
fn who_stays_keeps_what_balance_allows() {
    try_seeds(500, |seed| {
        let mut random = Random::new(seed);
        let mut group = Group::random(&mut random, true);
        let sticky = StickyAssignor;
        let mut before = group.assign(&sticky);
        for step in 0..6 {
            group.take(&sticky, &before);
            let mut least = 0;
            if random.one_in(2) && group.members.len() > 1 {
                // What the one who goes had, and nothing else.
                let goes = group.members.keys().nth(random.below(group.members.len() as u64) as usize).unwrap().clone();
                group.members.remove(&goes);
                least += before[&goes].len();
            } else if random.one_in(2) {
                group.join(&mut random, &format!("n{step}"), true);
            }
            let after = group.assign(&sticky);
            group
                .check(&after)
                .and_then(|()| group.check_balance(&after))
                .map_err(|error| format!("{seed}: {error}"))?;
            if let Some(joined) = after.get(&format!("n{step}")) {
                least += joined.len();
            }
            if moved(&before, &after) != least {
                return Err(format!("seed {seed}: not {least} moved: {} then {}", shown(&before), shown(&after)));
            }
            before = after;
        }
        Ok(())
    });
}

#[test]
fn cooperating_members_never_have_the_same_and_come_to_rest() {
    try_seeds(500, |seed| {
        let mut random = Random::new(seed);
        let all_the_same = random.one_in(2);
        let mut group = Group::random(&mut random, all_the_same);
        let assignor = CooperativeStickyAssignor;
        for step in 0..6 {
            if random.one_in(3) && group.members.len() > 1 {
                group.members.pop_first();
            } else {
                group.join(&mut random, &format!("n{step}"), all_the_same);
            }
            let mut rounds = 0;
            loop {
                let assigned = group.assign(&assignor);
                let mut gives_up = false;
                for (id, member) in &group.members {
                    let gets = &assigned[id];
                    gives_up |= member.owned_partitions.iter().any(|owned| !gets.contains(owned));
                    let others = group.members.iter().filter(|(other, _)| *other != id);
                    let mut owned = others.flat_map(|(_, other)| &other.owned_partitions);
                    if let Some(both) = owned.find(|owned| gets.contains(owned)) {
                        return Err(format!("seed {seed}: {id} gets {both} before it is given up"));
                    }
                }
                group.take(&assignor, &assigned);
                rounds += 1;
                if !gives_up {
                    let located = |error| format!("seed {seed}: {error}");
                    group.check(&assigned).and_then(|()| group.check_balance(&assigned)).map_err(located)?;
                    break;
                }
                if rounds > 3 {
                    return Err(format!("seed {seed}: no end"));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn what_members_say_is_kafkas_byte_for_byte_and_hostile_bytes_are_errors() {
    let subscription = Subscription {
        topics: vec!["b".into(), "a".into()],
        user_data: Some(b"xy".to_vec().into()),
        owned_partitions: vec![TopicPartition::new("a", 2), TopicPartition::new("a", 0)],
        generation: Some(5),
        rack_id: Some("r".into()),
        group_instance_id: None,
    };
    let bytes = subscription.encode();
    let expected =
        b"\0\x03\0\0\0\x02\0\x01a\0\x01b\0\0\0\x02xy\0\0\0\x01\0\x01a\0\0\0\x02\0\0\0\x02\0\0\0\0\0\0\0\x05\0\x01r";
    assert_eq!(&bytes[..], &expected[..]);
    let sorted = Subscription { topics: vec!["a".into(), "b".into()], ..subscription };
    assert_eq!(Subscription::decode(&bytes).unwrap(), sorted);
    // A reader of version 0 stops before what it doesn't know.
    let mut old = bytes.to_vec();
    old[1] = 0;
    let old = Subscription::decode(&old).unwrap();
    assert_eq!((old.topics.len(), old.owned_partitions.len(), old.generation), (2, 0, None));
    let assignment = Assignment { partitions: vec![TopicPartition::new("t", 1)], user_data: None };
    let assigned = assignment.encode();
    assert_eq!(&assigned[..], b"\0\x03\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff");
    assert_eq!(Assignment::decode(&assigned).unwrap(), assignment);
    assert_eq!(Assignment::decode(&[]).unwrap(), Assignment::default());
    for len in 0..bytes.len() {
        assert!(Subscription::decode(&bytes[..len]).is_err(), "{len} bytes");
    }
    for len in 1..assigned.len() {
        assert!(Assignment::decode(&assigned[..len]).is_err(), "{len} bytes");
    }
}
