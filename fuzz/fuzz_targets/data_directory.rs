//! Any bytes as any one file of a data directory: which one, closed or crashed and whether CRCs are made right, then
//! the file.
#![no_main]

use esker_fuzz::directory::{pick, try_file, with_sound_crcs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [index, mode, contents @ ..] = data else { return };
    let closed = mode & 1 == 1;
    let path = pick(closed, *index, |_| true);
    let contents = if mode & 2 == 2 { with_sound_crcs(contents.to_vec()) } else { contents.to_vec() };
    try_file(closed, &path, &contents);
});
