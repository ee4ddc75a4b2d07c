//! What a server takes to begin, and to serve ten thousand connections.
//!
//! ```sh
//! cargo bench --bench load --features net                  # all of it, a soak of a minute
//! cargo bench --bench load --features net -- start         # from nothing to the first acknowledged record
//! cargo bench --bench load --features net -- soak 300      # so many seconds
//! ```
#![expect(clippy::unwrap_used, reason = "a bench that can't run ends with a panic")]

#[path = "../../tests/load/clients.rs"]
mod clients;
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
        Some("start") => start::run(),
        Some("soak") => soak::run(seconds),
        _ => {
            start::run();
            soak::run(seconds);
        }
    }
}
