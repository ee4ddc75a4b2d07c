//! Any bytes as a range of batches.
#![no_main]

use bytes::Bytes;
use esker::record::{BatchHeaders, BatchRef, Batches};
use esker_fuzz::{LIMIT, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let headers = BatchHeaders::new(data).filter(Result::is_ok).count();
    let mut batches = 0;
    for batch in Batches::new(Bytes::copy_from_slice(data)).flatten() {
        batches += 1;
        assert_eq!(batch.header().size(), batch.bytes().len());
        assert!(BatchRef::parse(batch.bytes()).is_ok());
        if let Ok(set) = batch.records_within(LIMIT) {
            read(&set);
        }
    }
    assert!(batches <= headers);
});
