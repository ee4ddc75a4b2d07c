//! What a server takes to begin, to serve ten thousand connections, and to have its log read.
//!
//! ```sh
//! cargo bench --bench load --features net                  # all of it, a soak of a minute
//! cargo bench --bench load --features net -- start         # from nothing to the first record; fails beyond the goals
//! cargo bench --bench load --features net -- soak 300      # so many seconds
//! cargo bench --bench load --features net -- fetch         # CPU of the server, from files and by a copy
//! ```
#![expect(clippy::unwrap_used, reason = "a bench that can't run ends with a panic")]

#[path = "../../tests/load/clients.rs"]
mod clients;
mod fetch;
#[path = "../../tests/common/random.rs"]
#[allow(dead_code, reason = "others use all of it")]
mod random;
mod soak;
mod start;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let seconds = arguments.get(1).map_or(60, |seconds| seconds.parse().unwrap());
    match arguments.first().map(String::as_str) {
        Some(soak::SERVER) => soak::serve(),
        Some(fetch::SERVER) => fetch::serve(),
        Some("fetch") => fetch::run(),
        Some("start") => assert!(start::run(), "a goal is not met"),
        Some("soak") => soak::run(seconds),
        _ => {
            start::run();
            fetch::run();
            soak::run(seconds);
        }
    }
}
