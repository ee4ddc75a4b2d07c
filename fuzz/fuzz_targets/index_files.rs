//! Any bytes as an index of a segment: which one, closed or crashed, then the file.
#![no_main]

use esker_fuzz::directory::{pick, try_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [index, mode, contents @ ..] = data else { return };
    let closed = mode & 1 == 1;
    try_file(closed, &pick(closed, *index, |path| path.ends_with("index")), contents);
});
