//! Which protocol the members of a classic group elect: the one that they would in Kafka.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::store::java_hash;

/// How many buckets a `HashMap` of Java begins with.
const BUCKETS_MIN: usize = 16;

/// The name with the most votes. Of several that have as many, it is the first that Kafka comes to when it goes through
/// a `HashMap` (`ClassicGroup.selectProtocol`): bucket by bucket, and in each in the order in which they came.
pub(super) fn winner<'a>(votes: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts = HashMap::<&str, (usize, usize)>::new();
    for (index, name) in votes.enumerate() {
        let (_, count) = counts.entry(name).or_insert((index, 0));
        *count += 1;
    }
    let buckets = buckets_for(counts.len());
    let rank = |(name, (index, count)): &(&str, (usize, usize))| (Reverse(*count), bucket(name, buckets), *index);
    counts.into_iter().min_by_key(rank).map(|(name, _)| name)
}

/// How many buckets there are for so many names: they are doubled whenever three quarters would not do.
fn buckets_for(names: usize) -> usize {
    let mut buckets = BUCKETS_MIN;
    while names > buckets / 4 * 3 {
        buckets *= 2;
    }
    buckets
}

fn bucket(name: &str, buckets: usize) -> usize {
    let hash = java_hash(name).cast_unsigned();
    (hash ^ (hash >> 16)) as usize & (buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_votes_win() {
        assert_eq!(winner(["sticky", "range", "sticky"].into_iter()), Some("sticky"));
        assert_eq!(winner([].into_iter()), None);
    }

    /// What Java prints for `new HashSet<>(List.of(...))`.
    #[test]
    fn of_those_that_have_as_many_the_first_of_javas_map_wins() {
        let assignors = ["sticky", "range", "roundrobin", "cooperative-sticky"];
        for left in 0..assignors.len() {
            let tied = &assignors[left..];
            assert_eq!(winner(tied.iter().copied()), Some(tied[0]), "{tied:?}");
            assert_eq!(winner(tied.iter().rev().copied()), Some(tied[0]), "{tied:?}");
        }
        // Both in bucket 8.
        assert_eq!(winner(["x", "sticky"].into_iter()), Some("x"));
        assert_eq!(winner(["sticky", "x"].into_iter()), Some("sticky"));
    }

    /// Of 12 names there are 16 buckets, of 13 there are 32, and "sticky" goes from the 8th to the 24th.
    #[test]
    fn javas_map_grows() {
        assert_eq!([12, 13, 24, 25].map(buckets_for), [16, 32, 32, 64]);
        assert_eq!([16, 32].map(|buckets| bucket("sticky", buckets)), [8, 24]);
        assert_eq!([16, 32].map(|buckets| bucket("range", buckets)), [9, 9]);
    }
}
