//! Any bytes as a producer snapshot or a transaction index: which one, closed or crashed, whether its CRC is put right,
//! then the file.
#![no_main]

use esker_fuzz::directory::{pick, try_file, with_sound_snapshot_crc};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [index, mode, contents @ ..] = data else { return };
    let closed = mode & 1 == 1;
    let path = pick(closed, *index, |path| path.ends_with(".snapshot") || path.ends_with(".txnindex"));
    let is_snapshot = path.extension().is_some_and(|extension| extension == "snapshot");
    match is_snapshot && mode & 2 == 2 {
        true => try_file(closed, &path, &with_sound_snapshot_crc(contents.to_vec())),
        false => try_file(closed, &path, contents),
    }
});
