//! How long things took: counted in buckets, so that memory does not grow with how often.

use std::time::Duration;

use serde::Serialize;

/// Buckets within a power of two: each is 1/32 of it wide, so what is told is at most 3 % too much.
const STEPS: u64 = 32;
const STEPS_LOG2: u32 = STEPS.ilog2();
/// Enough for any number of nanoseconds.
const BUCKETS: usize = ((64 - STEPS_LOG2 as usize) + 1) * STEPS as usize;

/// Latencies in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

/// What is told of latencies, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) avg: f64,
    pub(super) max: f64,
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, sum: 0, max: 0 }
    }

    pub(super) fn add(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.sum += u128::from(nanoseconds);
        self.max = self.max.max(nanoseconds);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(ours, theirs)| *ours += theirs);
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        let at = |share: f64| milliseconds(self.percentile(share));
        Percentiles {
            avg: self.sum as f64 / self.count.max(1) as f64 / 1e6,
            max: milliseconds(self.max),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
        }
    }

    /// What the given share of latencies is no longer than.
    fn percentile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_end(index).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(nanoseconds: u64) -> usize {
    if nanoseconds < STEPS {
        return nanoseconds as usize;
    }
    let shift = nanoseconds.ilog2() - STEPS_LOG2;
    let step = (nanoseconds >> shift) - STEPS;
    (u64::from(shift + 1) * STEPS + step) as usize
}

/// The largest latency that falls into a bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let (shift, step) = (bucket / STEPS - 1, bucket % STEPS);
    ((u128::from(STEPS + step + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_within_its_bucket() {
        let mut before = None;
        for nanoseconds in (0..1000).chain((11..64).flat_map(|power| [(1 << power) - 1, 1 << power, 3 << (power - 2)]))
        {
            let bucket = bucket(nanoseconds);
            assert!(bucket < BUCKETS && upper_end(bucket) >= nanoseconds, "{nanoseconds}");
            assert!(upper_end(bucket) as f64 <= nanoseconds as f64 * 1.04, "{nanoseconds}");
            if nanoseconds < 1000 {
                assert!(before <= Some(bucket));
                before = Some(bucket);
            }
        }
        assert_eq!(upper_end(bucket(u64::MAX)), u64::MAX);
    }

    #[test]
    fn percentiles_are_those_of_what_was_added() {
        let (mut one, mut other) = (Latencies::new(), Latencies::new());
        for millisecond in 1..=1000 {
            let half = if millisecond % 2 == 0 { &mut one } else { &mut other };
            half.add(Duration::from_millis(millisecond));
        }
        one.merge(&other);
        let Percentiles { avg, max, p50, p95, p99, p999 } = one.percentiles();
        assert!((avg - 500.5).abs() < 1e-6 && (max - 1000.0).abs() < 1e-6, "{avg} {max}");
        for (found, expected) in [(p50, 500.0), (p95, 950.0), (p99, 990.0), (p999, 999.0)] {
            assert!((expected..=expected * 1.04).contains(&found), "{found} for {expected}");
        }
        assert!(Latencies::new().percentiles().p999 == 0.0);
    }
}
