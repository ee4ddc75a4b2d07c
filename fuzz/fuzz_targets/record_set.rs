//! Any bytes as the records of a sound, uncompressed batch: two bytes of header, then the records.
#![no_main]

use esker::record::{BatchBuilder, BatchView, Header, RecordData};
use esker_fuzz::{BASE_OFFSET, LAST_OFFSET_DELTA, batch, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [attributes, count, records @ ..] = data else { return };
    let batch = BatchView::parse(&batch(attributes & !7, *count, records)).expect("the header is sound");
    let set = batch.records().expect("nothing to decompress");
    let sound = read(&set);
    let mut visited = 0;
    let whole = batch.as_ref().for_each_record(0, |record| {
        visited += 1;
        assert!((BASE_OFFSET..=BASE_OFFSET + i64::from(LAST_OFFSET_DELTA)).contains(&record.offset));
        Ok(())
    });
    assert_eq!(visited, sound);
    if whole.is_ok() {
        rebuild(&batch);
    }
});

/// Records that can be read can be written, and then read as the same.
fn rebuild(batch: &BatchView) {
    let set = batch.records().expect("was read before");
    let mut builder = BatchBuilder::new(0).base_offset(BASE_OFFSET);
    let mut expected = Vec::new();
    for record in set.iter().flatten() {
        let headers: Vec<Header<'_>> = record.headers().flatten().collect();
        let timestamp = record.timestamp.max(-1);
        let data = RecordData::new(record.key, record.value).at(timestamp).with_headers(&headers);
        builder.push(&data).expect("it fitted before");
        expected.push((timestamp, record.key, record.value, headers.len()));
    }
    let Ok(rebuilt) = builder.build() else { return };
    let rebuilt = BatchView::from(rebuilt);
    let set = BatchView::parse(rebuilt.bytes()).expect("sound").records().expect("not compressed");
    let found: Vec<_> = set
        .iter()
        .map(|record| record.expect("sound"))
        .map(|record| (record.timestamp, record.key, record.value, record.header_count()))
        .collect();
    assert_eq!(found, expected);
}
