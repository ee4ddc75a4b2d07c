//! What assignors promise, on examples and on random groups.

use super::*;

fn topic(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn topics(counts: &[i32]) -> BTreeMap<Uuid, i32> {
    (0..).zip(counts).map(|(number, count)| (topic(number), *count)).collect()
}

fn member<'a>(id: &'a str, topics: &[u8], target: Option<&'a Partitions>) -> Subscriber<'a> {
    Subscriber { id, instance_id: None, topics: topics.iter().map(|number| topic(*number)).collect(), target }
}

fn sizes(assigned: &[Partitions]) -> Vec<usize> {
    assigned.iter().map(|topics| topics.values().map(BTreeSet::len).sum()).collect()
}

#[test]
fn ranges_of_topics_of_one_size_are_the_same() {
    let members = [member("a", &[0, 1], None), member("b", &[0, 1], None)];
    let assigned = Assignor::Range.assign(&members, &topics(&[3, 3]));
    let part = |range: std::ops::Range<i32>| (0..2).map(|number| (topic(number), range.clone().collect())).collect();
    assert_eq!(assigned, [part(0..2), part(2..3)]);
}

#[test]
fn static_members_keep_their_ranges_whatever_their_ids_are() {
    let first = Subscriber { instance_id: Some("1"), ..member("z", &[0], None) };
    let assigned = Assignor::Range.assign(&[member("a", &[0], None), first], &topics(&[2]));
    assert_eq!(assigned, [[(topic(0), [1].into())].into(), [(topic(0), [0].into())].into()]);
}

#[test]
fn what_is_assigned_stays_as_far_as_that_is_fair() {
    let topics = topics(&[3, 4]);
    let alone = Assignor::Uniform.assign(&[member("a", &[0, 1], None)], &topics);
    assert_eq!(sizes(&alone), [7]);
    let both = [member("a", &[0, 1], Some(&alone[0])), member("b", &[0, 1], None)];
    let assigned = Assignor::Uniform.assign(&both, &topics);
    assert_eq!(sizes(&assigned), [4, 3]);
    let kept = assigned[0].iter().all(|(topic, kept)| kept.is_subset(&alone[0][topic]));
    assert!(kept, "{assigned:?}");
    // The next one takes what is fair from whoever has the most.
    let three = [
        member("a", &[0, 1], Some(&assigned[0])),
        member("b", &[0, 1], Some(&assigned[1])),
        member("c", &[0, 1], None),
    ];
    assert_eq!(sizes(&Assignor::Uniform.assign(&three, &topics)), [3, 2, 2]);
}

/// Every partition has one owner, which is subscribed to it; and where nobody could have fewer, nobody has more.
#[test]
fn every_partition_goes_to_one_subscriber() {
    let mut state = 7_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for round in 0..300 {
        let counts: Vec<i32> = (0..1 + below(4)).map(|_| below(7) as i32).collect();
        let all = topics(&counts);
        let ids: Vec<String> = (0..1 + below(5)).map(|index| format!("m{index}")).collect();
        let homogeneous = below(2) == 0;
        let mut wanted: Vec<Vec<u8>> = Vec::new();
        for _ in &ids {
            let some = (0..counts.len() as u8).filter(|_| homogeneous || below(2) == 0).collect();
            wanted.push(some);
        }
        let mut before: Vec<Partitions> = vec![Partitions::new(); ids.len()];
        for partition in 0..3 {
            let index = below(ids.len() as u64) as usize;
            before[index].entry(topic(0)).or_default().insert(partition);
        }
        let members: Vec<_> = ids
            .iter()
            .zip(&wanted)
            .zip(&before)
            .map(|((id, wanted), before)| member(id, wanted, Some(before)))
            .collect();
        for assignor in [Assignor::Uniform, Assignor::Range] {
            let assigned = assignor.assign(&members, &all);
            let mut owned = BTreeMap::<Uuid, Vec<i32>>::new();
            for (member, part) in members.iter().zip(&assigned) {
                for (topic, partitions) in part {
                    assert!(member.topics.contains(topic), "round {round}: {assignor:?}");
                    owned.entry(*topic).or_default().extend(partitions);
                }
            }
            owned.values_mut().for_each(|partitions| partitions.sort_unstable());
            let read = all
                .iter()
                .filter(|(topic, count)| **count > 0 && members.iter().any(|member| member.topics.contains(*topic)));
            let expected: BTreeMap<_, _> = read.map(|(topic, count)| (*topic, (0..*count).collect())).collect();
            assert_eq!(owned, expected, "round {round}: {assignor:?}");
            let sizes = sizes(&assigned);
            let spread = sizes.iter().max().unwrap_or(&0) - sizes.iter().min().unwrap_or(&0);
            assert!(assignor == Assignor::Range || !homogeneous || spread <= 1, "round {round}: {sizes:?}");
        }
    }
}
