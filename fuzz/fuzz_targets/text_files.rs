//! Any bytes as one of the text files: checkpoints, `meta.properties`, `partition.metadata`, the list of topics. Which
//! one, closed or crashed, then the file.
#![no_main]

use esker_fuzz::directory::{pick, try_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [index, mode, contents @ ..] = data else { return };
    let closed = mode & 1 == 1;
    let path = pick(closed, *index, |path| {
        !path.ends_with("index") && !path.ends_with(".log") && !path.ends_with(".snapshot")
    });
    try_file(closed, &path, contents);
});
