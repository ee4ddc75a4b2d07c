//! Any bytes as the compressed records of a sound batch: two bytes of header, the first of which picks the codec.
#![no_main]

use esker::record::BatchView;
use esker_fuzz::{LIMIT, batch, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [codec, count, stream @ ..] = data else { return };
    let batch = BatchView::parse(&batch(codec % 4 + 1, *count, stream)).expect("the header is sound");
    if let Ok(set) = batch.records_within(LIMIT) {
        read(&set);
    }
});
