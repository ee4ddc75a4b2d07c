//! What the log does against what the machine can do, both measured in the same run: the figures that mean something
//! are the ratios. `cargo bench` runs all of it, `cargo bench -- append read` the sections whose names begin so.
//!
//! Each comparison runs several rounds, ours and the limit in turn, and prints the medians. The machine should be idle.
//! A section is a function in a file of its own, entered in the table below.
#![expect(clippy::unwrap_used, reason = "a bench that can't run ends with a panic")]

mod acks_all;
mod append;
mod compaction;
mod harness;
mod latency;
mod open;
mod partitions;
mod producers;
mod read;

/// A section's name, and what it runs.
const SECTIONS: &[(&str, fn())] = &[
    ("append", append::single),
    ("append-100", append::hundred),
    ("acks-all", acks_all::run),
    ("idempotent", producers::idempotent),
    ("transactional", producers::transactional),
    ("offsets", producers::offsets),
    ("read", || read::run(100)),
    ("read-single", || read::run(1)),
    ("read-random", latency::random_reads),
    ("open", open::run),
    ("partitions", partitions::run),
    ("compaction", compaction::run),
    ("append-beside-maintenance", latency::appends_beside_maintenance),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    harness::head();
    for (name, run) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.starts_with(wanted.as_str())) {
            run();
        }
    }
}
