//! Any bytes as records of `__consumer_offsets`: the length of a key and of a value, the key, the value, and so on. A
//! value of length 255 is null.
#![no_main]

use esker_fuzz::directory::try_offset_records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (mut rest, mut records) = (data, Vec::new());
    while let [key_len, value_len, bytes @ ..] = rest {
        let (key, bytes) = bytes.split_at(bytes.len().min(usize::from(*key_len)));
        let is_null = *value_len == 255;
        let (value, bytes) = bytes.split_at(bytes.len().min(if is_null { 0 } else { usize::from(*value_len) }));
        records.push((key, (!is_null).then_some(value)));
        rest = bytes;
    }
    try_offset_records(&records);
});
