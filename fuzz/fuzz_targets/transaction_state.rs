//! Any bytes as records of `__transaction_state`.
#![no_main]

use esker_fuzz::internal_topics::{records, try_transaction_records};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| try_transaction_records(&records(data)));
