//! Any bytes as records of `__consumer_offsets`.
#![no_main]

use esker_fuzz::internal_topics::{records, try_offset_records};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| try_offset_records(&records(data)));
