//! The assignors of consumers of this process against those of Kafka's Java client, on groups at random that go from
//! generation to generation: members come and go, topics and subscriptions change.

use std::collections::BTreeMap;

use esker::TopicPartition;
use esker::coordinator::{
    CooperativeStickyAssignor, Members, PartitionAssignor, RangeAssignor, RebalanceProtocol, RoundRobinAssignor,
    StickyAssignor, Subscription,
};
use esker_kafka_tests::process::request;
use serde_json::{Value, json};

use crate::random::Random;

const GROUPS: u64 = 150;
const GENERATIONS: i32 = 8;

type Assigned = BTreeMap<String, Vec<TopicPartition>>;

struct Group {
    seed: u64,
    random: Random,
    /// Whether all members subscribe to the same topics.
    is_uniform: bool,
    counts: BTreeMap<String, i32>,
    members: Members,
    generation: i32,
}

impl Group {
    fn new(seed: u64) -> Self {
        let (mut random, is_uniform) = (Random::new(seed), seed.is_multiple_of(2));
        let counts = (0..1 + random.below(4)).map(|topic| (format!("t{topic}"), random.below(9) as i32)).collect();
        let mut group = Self { seed, random, is_uniform, counts, members: Members::new(), generation: 0 };
        for _ in 0..1 + group.random.below(6) {
            group.join();
        }
        group
    }

    fn join(&mut self) {
        let id = format!("m{}", self.random.below(9));
        let topics = self.topics();
        let group_instance_id = self.random.one_in(4).then(|| format!("name {}", 9 - id.as_bytes()[1] % 10));
        self.members.insert(id, Subscription { topics, group_instance_id, ..Subscription::default() });
    }

    /// At least one: Kafka's sticky assignors take a member without topics for one like the others if it comes first,
    /// and give it partitions, which is nothing to agree with.
    fn topics(&mut self) -> Vec<String> {
        let all: Vec<String> = self.counts.keys().cloned().collect();
        let one = self.random.pick(&all).clone();
        all.into_iter().filter(|topic| self.is_uniform || *topic == one || self.random.one_in(2)).collect()
    }

    /// Something happens, so that partitions have to be assigned anew.
    fn change(&mut self) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        match self.random.below(6) {
            0 if ids.len() > 1 => drop(self.members.remove(self.random.pick(&ids))),
            1 => {
                let topic = format!("t{}", self.random.below(self.counts.len() as u64));
                *self.counts.get_mut(&topic).unwrap() += 1;
            }
            2 if !self.is_uniform => {
                let topics = self.topics();
                self.members.get_mut(self.random.pick(&ids)).unwrap().topics = topics;
            }
            // Everybody joins again.
            3 => {}
            _ => self.join(),
        }
    }

    /// The topics that anybody wants, as a leader looks them up.
    fn wanted(&self) -> BTreeMap<String, i32> {
        let is_wanted = |topic: &str| self.members.values().any(|member| member.topics.iter().any(|at| at == topic));
        let wanted = self.counts.iter().filter(|(topic, _)| is_wanted(topic));
        wanted.map(|(topic, count)| (topic.clone(), *count)).collect()
    }

    fn to_json(&self) -> Value {
        let member = |(id, member): (&String, &Subscription)| json!({"id": id, "subscription": hex(member.encode()), "name": member.group_instance_id});
        let members: Vec<Value> = self.members.iter().map(member).collect();
        json!({"counts": self.wanted(), "members": members, "generation": self.generation})
    }

    /// Everybody takes what was assigned, and will say so in the next generation.
    fn take(
        &mut self,
        assignor: &dyn PartitionAssignor,
        assigned: &Assigned,
        user_data: &BTreeMap<String, Option<String>>,
    ) {
        for (id, member) in &mut self.members {
            let partitions = &assigned[id];
            member.user_data = assignor.user_data(Some((partitions, self.generation)));
            assert_eq!(member.user_data.as_deref().map(hex), user_data[id], "seed {}: what {id} says", self.seed);
            member.generation = Some(self.generation);
            if assignor.protocol() == RebalanceProtocol::Cooperative {
                member.owned_partitions.clone_from(partitions);
            }
            // What members say goes over the wire.
            let group_instance_id = member.group_instance_id.take();
            *member = Subscription { group_instance_id, ..Subscription::decode(&member.encode()).unwrap() };
        }
        self.generation += 1;
    }
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn partitions(of: &Value) -> Vec<TopicPartition> {
    let partition = |at: &Value| TopicPartition::new(at[0].as_str().unwrap(), at[1].as_i64().unwrap() as i32);
    of.as_array().unwrap().iter().map(partition).collect()
}

#[test]
fn they_assign_as_kafkas_do() {
    let all: [&dyn PartitionAssignor; 4] =
        [&RangeAssignor, &RoundRobinAssignor, &StickyAssignor, &CooperativeStickyAssignor];
    for assignor in all {
        let mut groups: Vec<Group> = (0..GROUPS).map(Group::new).collect();
        for _ in 0..GENERATIONS {
            let asked: Vec<Value> = groups.iter().map(Group::to_json).collect();
            let answer = request(&json!({"command": "assign", "assignor": assignor.name(), "groups": asked})).clean();
            for (group, theirs) in groups.iter_mut().zip(answer.as_array().unwrap()) {
                let theirs = theirs.as_object().unwrap();
                let assigned: Assigned =
                    theirs.iter().map(|(id, of)| (id.clone(), partitions(&of["partitions"]))).collect();
                let ours = assignor.assign(&group.wanted(), &group.members);
                assert_eq!(ours, assigned, "{}, seed {}: {:#?}", assignor.name(), group.seed, group.members);
                let user_data = theirs.iter().map(|(id, of)| (id.clone(), of["user_data"].as_str().map(str::to_owned)));
                group.take(assignor, &assigned, &user_data.collect());
                group.change();
            }
        }
    }
}
