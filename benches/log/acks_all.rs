//! Appending with a sync, by one thread and by many that share it.

use std::io::Write;
use std::sync::Barrier;
use std::time::Instant;

use esker::{Acks, Log};

use crate::harness::{builder, compare, with_log};

pub fn run() {
    const COUNT: usize = 300;
    let mut single = builder(1);
    let bytes = single.build().unwrap().bytes().to_vec();
    let one_thread = |log: &Log| {
        let mut single = builder(1);
        let batch = single.build().unwrap();
        log.append(batch, Acks::All).unwrap();
        let start = Instant::now();
        for _ in 0..COUNT {
            log.append(batch, Acks::All).unwrap();
        }
        COUNT as f64 / start.elapsed().as_secs_f64() / 1e3
    };
    let bare = || {
        let mut file = tempfile::tempfile().unwrap();
        let start = Instant::now();
        for _ in 0..COUNT {
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        }
        COUNT as f64 / start.elapsed().as_secs_f64() / 1e3
    };
    // At most 1.15 times as long is a ratio of 0.87 or more.
    compare("append, All, 1 thread; limit write + fdatasync", "k/s", "0.87", || with_log(one_thread), bare);
    let many = |log: &Log| {
        const THREADS: usize = 16;
        let barrier = Barrier::new(THREADS + 1);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut single = builder(1);
                    let batch = single.build().unwrap();
                    barrier.wait();
                    for _ in 0..COUNT {
                        log.append(batch, Acks::All).unwrap();
                    }
                    barrier.wait();
                });
            }
            barrier.wait();
            let start = Instant::now();
            barrier.wait();
            (THREADS * COUNT) as f64 / start.elapsed().as_secs_f64() / 1e3
        })
    };
    compare("append, All, 16 threads; limit 1 thread", "k/s", "8.00", || with_log(many), || with_log(one_thread));
}
