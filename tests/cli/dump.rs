//! Dumps of segments and indexes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{Cli, numbered_lines};

/// A segment from batches that Kafka wrote, which take their base offsets from here: no CRC covers them.
fn segment_of(dir: &Path, batches: &[(&str, i64)]) -> PathBuf {
    let mut segment = Vec::new();
    for (name, base_offset) in batches {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let mut batch = fs::read(golden).unwrap();
        batch[..8].copy_from_slice(&base_offset.to_be_bytes());
        segment.extend(batch);
    }
    let path = dir.join(format!("{:020}.log", batches[0].1));
    fs::write(&path, segment).unwrap();
    path
}

const BATCHES: [(&str, i64); 3] =
    [("none/idempotent.batch", 10), ("gzip/keyed.batch", 12), ("none/end_commit.batch", 15)];
const BATCH_LINES: [&str; 3] = [
    "baseOffset: 10 lastOffset: 11 count: 2 baseSequence: 7 lastSequence: 8 producerId: 4000 producerEpoch: 2 \
     partitionLeaderEpoch: 3 isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty \
     position: 0 CreateTime: 1700000000001 size: 79 magic: 2 compresscodec: none crc: 698741983 isvalid: true\n",
    "baseOffset: 12 lastOffset: 14 count: 3 baseSequence: -1 lastSequence: -1 producerId: -1 producerEpoch: -1 \
     partitionLeaderEpoch: 3 isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty \
     position: 79 CreateTime: 1700000001000 size: 187 magic: 2 compresscodec: gzip crc: 1243916161 isvalid: true\n",
    "baseOffset: 15 lastOffset: 15 count: 1 baseSequence: -1 lastSequence: -1 producerId: 4000 producerEpoch: 2 \
     partitionLeaderEpoch: 3 isTransactional: true isControl: true deleteHorizonMs: OptionalLong.empty \
     position: 266 CreateTime: 1700000000100 size: 78 magic: 2 compresscodec: none crc: 1982115980 isvalid: true\n",
];
const RECORD_LINES: [&str; 3] = [
    "| offset: 10 CreateTime: 1700000000000 keySize: 1 valueSize: 1 sequence: 7 headerKeys: [] key: a payload: 1\n\
     | offset: 11 CreateTime: 1700000000001 keySize: 1 valueSize: 1 sequence: 8 headerKeys: [] key: b payload: 2\n",
    "| offset: 12 CreateTime: 1700000000000 keySize: 2 valueSize: 5 sequence: -1 headerKeys: [h] key: k1 \
     payload: hello\n\
     | offset: 13 CreateTime: 1700000000005 keySize: 2 valueSize: 6 sequence: -1 \
     headerKeys: [trace,trace,,größe] key: k2 payload: wörld\n\
     | offset: 14 CreateTime: 1700000001000 keySize: 2 valueSize: 5 sequence: -1 headerKeys: [] key: k1 \
     payload: again\n",
    "| offset: 15 CreateTime: 1700000000100 keySize: 4 valueSize: 6 sequence: -1 headerKeys: [] \
     endTxnMarker: COMMIT coordinatorEpoch: 5\n",
];

fn dump_head(path: &Path) -> String {
    format!("Dumping {}\nLog starting offset: 10\n", path.display())
}

#[test]
fn a_dump_shows_what_kafka_wrote_as_kafka_does() {
    let cli = Cli::new();
    let path = segment_of(cli.temporary.path(), &BATCHES);
    let args = ["log", "dump", path.to_str().unwrap()];
    assert_eq!(cli.text(&args), dump_head(&path) + &BATCH_LINES.concat());
    let with_records = BATCH_LINES.into_iter().zip(RECORD_LINES).flat_map(|(batch, records)| [batch, records]);
    assert_eq!(cli.text(&[&args[..], &["--records"]].concat()), dump_head(&path) + &with_records.collect::<String>());
    let from = cli.text(&[&args[..], &["--offset", "13"]].concat());
    assert_eq!(from, dump_head(&path) + &BATCH_LINES[1..].concat());
}

#[test]
fn a_dump_shows_where_a_byte_is_flipped_and_goes_on() {
    let cli = Cli::new();
    let path = segment_of(cli.temporary.path(), &BATCHES);
    let mut bytes = fs::read(&path).unwrap();
    // In the records of the second batch.
    bytes[79 + 70] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let output = cli.run(&["log", "dump", path.to_str().unwrap()], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (shown, damage) = stdout.split_once("DAMAGED position: 79: the CRC is 0x4a24a781 and should be ").unwrap();
    assert_eq!(shown, dump_head(&path) + BATCH_LINES[0] + &BATCH_LINES[1].replace("true\n", "false\n"));
    assert_eq!(damage.split_once('\n').unwrap().1, BATCH_LINES[2]);
    assert_eq!((output.status.code(), &*output.stderr), (Some(1), &b"error: 1 place is damaged\n"[..]));
}

#[test]
fn a_dump_finds_the_way_again_after_a_damaged_length_and_at_a_torn_end() {
    let cli = Cli::new();
    let path = segment_of(cli.temporary.path(), &BATCHES);
    let mut bytes = fs::read(&path).unwrap();
    bytes[79 + 8..79 + 12].copy_from_slice(&i32::MAX.to_be_bytes());
    bytes.extend_from_slice(&[7; 100]);
    fs::write(&path, &bytes).unwrap();
    let output = cli.run(&["log", "dump", path.to_str().unwrap()], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = stdout.split_inclusive('\n').collect();
    let cut = "2147483659 bytes are needed and 365 are there; 187 bytes can't be read";
    assert_eq!(lines[2..4].concat(), format!("{}DAMAGED position: 79: {cut}\n", BATCH_LINES[0]));
    assert_eq!(lines[4], BATCH_LINES[2]);
    assert!(lines[5].starts_with("DAMAGED position: 344: ") && lines[5].ends_with("; 100 bytes can't be read\n"));
    assert_eq!((output.status.code(), &*output.stderr), (Some(1), &b"error: 2 places are damaged\n"[..]));
}

#[test]
fn a_dump_shows_offsets_out_of_order_and_reserved_space() {
    let cli = Cli::new();
    let batches = [BATCHES[0], ("none/end_commit.batch", 9), ("none/end_abort.batch", 12)];
    let path = segment_of(cli.temporary.path(), &batches);
    let mut bytes = fs::read(&path).unwrap();
    bytes.resize(4096, 0);
    fs::write(&path, &bytes).unwrap();
    let output = cli.run(&["log", "dump", path.to_str().unwrap()], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("DAMAGED position: 79: base offset 9 where 12 or more should be\nbaseOffset: 12 "));
    let reserved = "Found 3861 bytes of reserved space at the end of 00000000000000000010.log\n";
    assert!(stdout.ends_with(reserved), "{stdout}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_dump_shows_indexes() {
    let cli = Cli::new();
    let entries = [[0, 0, 0, 5, 0, 0, 1, 0], [0, 0, 0, 9, 0, 0, 2, 0], [0; 8]].concat();
    let index = cli.temporary.path().join("00000000000000000100.index");
    fs::write(&index, entries).unwrap();
    let text = cli.text(&["log", "dump", index.to_str().unwrap()]);
    let expected = "offset: 105 position: 256\noffset: 109 position: 512\n";
    assert_eq!(text, format!("Dumping {}\n{expected}", index.display()));

    let times = cli.temporary.path().join("00000000000000000100.timeindex");
    fs::write(&times, [[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 5], [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 6]].concat()).unwrap();
    let output = cli.run(&["log", "dump", times.to_str().unwrap()], b"");
    let expected = "timestamp: 256 offset: 105\ntimestamp: 256 offset: 106\n\
                    DAMAGED position: 12: timestamps of an index must rise, and offsets must not fall\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("Dumping {}\n{expected}", times.display()));
    assert_eq!(output.status.code(), Some(1));
}

/// What Kafka wrote: a producer whose transaction was aborted, an idempotent one, and one with an open transaction.
const SNAPSHOT: [&str; 4] = [
    "00015a7a78c200000003",
    "0000000000000fa00000000000000000000000000002000000000000018bcfe5681e00000007ffffffffffffffff",
    "0000000000000fa100010000000b0000000000000006000000010000018bcfe56829ffffffffffffffffffffffff",
    "0000000000000fa20003000000000000000000000007000000000000018bcfe56832ffffffff0000000000000007",
];

fn bytes_of(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|digits| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap()).collect()
}

#[test]
fn a_dump_shows_producer_snapshots() {
    let cli = Cli::new();
    let path = cli.temporary.path().join("00000000000000000008.snapshot");
    fs::write(&path, bytes_of(&SNAPSHOT.concat())).unwrap();
    let args = ["log", "dump", path.to_str().unwrap()];
    let lines = [
        "producerId: 4000 producerEpoch: 0 coordinatorEpoch: 7 currentTxnFirstOffset: OptionalLong.empty \
         lastTimestamp: 1700000000030 firstSequence: 0 lastSequence: 0 lastOffset: 2 offsetDelta: 0 \
         timestamp: 1700000000030\n",
        "producerId: 4001 producerEpoch: 1 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong.empty \
         lastTimestamp: 1700000000041 firstSequence: 10 lastSequence: 11 lastOffset: 6 offsetDelta: 1 \
         timestamp: 1700000000041\n",
        "producerId: 4002 producerEpoch: 3 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong[7] \
         lastTimestamp: 1700000000050 firstSequence: 0 lastSequence: 0 lastOffset: 7 offsetDelta: 0 \
         timestamp: 1700000000050\n",
    ];
    let head = format!("Dumping {}\n", path.display());
    assert_eq!(cli.text(&args), head.clone() + &lines.concat());
    let expected = json!({
        "file": path.to_str().unwrap(), "type": "producer", "position": 56, "producer_id": 4001, "producer_epoch": 1,
        "coordinator_epoch": -1, "current_transaction_first_offset": null, "last_timestamp": 1_700_000_000_041_i64,
        "last_batch": {
            "first_sequence": 10, "last_sequence": 11, "last_offset": 6, "offset_delta": 1,
            "timestamp": 1_700_000_000_041_i64,
        },
    });
    let producers = cli.json(&args);
    assert_eq!((producers.len(), &producers[1]), (3, &expected));
    assert_eq!(producers[2]["current_transaction_first_offset"], 7);

    // A producer of which only a marker is left, and a file that is cut within its entry.
    let without_batch = SNAPSHOT[1].replacen("0000000000000002", "ffffffffffffffff", 1);
    fs::write(&path, bytes_of(&[SNAPSHOT[0], &without_batch, &SNAPSHOT[2][..20]].concat())).unwrap();
    let output = cli.run(&args, b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (shown, rest) = stdout.split_once("the CRC is 0x5a7a78c2 and should be 0x").unwrap();
    assert_eq!(shown, head.clone() + "DAMAGED position: 2: ");
    let producer = lines[0].split_once("firstSequence").unwrap().0;
    let damage = "DAMAGED position: 6: 56 bytes are not 3 entries\n";
    assert_eq!(rest.split_once('\n').unwrap().1, format!("{producer}\n{damage}"));
    assert_eq!((output.status.code(), &*output.stderr), (Some(1), &b"error: 2 places are damaged\n"[..]));

    for (contents, damage) in [("0001", "2 bytes are no snapshot"), ("00020000000000000000", "a snapshot of version 2")]
    {
        fs::write(&path, bytes_of(contents)).unwrap();
        let output = cli.run(&args, b"");
        let expected = format!("{head}DAMAGED position: 0: {damage}\n");
        assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(1), expected));
    }
}

#[test]
fn a_dump_shows_transaction_indexes() {
    let cli = Cli::new();
    let path = cli.temporary.path().join("00000000000000000000.txnindex");
    let entry = |fields: [i64; 4]| [&[0, 0][..], &fields.map(i64::to_be_bytes).concat()].concat();
    fs::write(&path, [entry([4000, 2, 4, 5]), entry([4001, 1, 9, 6])].concat()).unwrap();
    let args = ["log", "dump", path.to_str().unwrap()];
    let lines = [
        "version: 0 producerId: 4000 firstOffset: 2 lastOffset: 4 lastStableOffset: 5\n",
        "version: 0 producerId: 4001 firstOffset: 1 lastOffset: 9 lastStableOffset: 6\n",
    ];
    let head = format!("Dumping {}\n", path.display());
    assert_eq!(cli.text(&args), head.clone() + &lines.concat());
    assert_eq!(cli.text(&[&args[..], &["--offset", "5"]].concat()), head.clone() + lines[1]);
    let expected = json!({
        "file": path.to_str().unwrap(), "type": "transaction_index_entry", "position": 34, "version": 0,
        "producer_id": 4001, "first_offset": 1, "last_offset": 9, "last_stable_offset": 6,
    });
    assert_eq!(cli.json(&args)[1], expected);

    fs::write(&path, [entry([4000, 2, 4, 5]), entry([4001, 1, 4, 5]), vec![0; 3]].concat()).unwrap();
    let output = cli.run(&args, b"");
    let damage = "DAMAGED position: 34: a transaction must end after it began and after the one before it\n\
                  DAMAGED position: 68: 3 bytes are no whole entry\n";
    let second = lines[1].replace("lastOffset: 9 lastStableOffset: 6", "lastOffset: 4 lastStableOffset: 5");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), head + lines[0] + &second + damage);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_dump_of_a_partition_shows_all_its_segments() {
    let cli = Cli::new();
    cli.ok(&["topic", "create", "t", "--config", "segment.bytes=1048576"], b"");
    cli.ok(&["produce", "t", "--config", "batch.size=16384"], &numbered_lines(3 << 20));
    let text = cli.text(&["log", "dump", cli.dir().join("t-0").to_str().unwrap()]);
    assert!(text.matches("Dumping ").count() > 3, "{text}");
    let mut next = 0;
    for line in text.lines().filter(|line| line.starts_with("baseOffset: ")) {
        let mut words = line.split(' ');
        assert_eq!(words.nth(1), Some(&*next.to_string()));
        next = words.nth(1).unwrap().parse::<u64>().unwrap() + 1;
    }
    assert!(next > 0);
}

#[test]
fn a_dump_is_told_as_json() {
    let cli = Cli::new();
    let path = segment_of(cli.temporary.path(), &BATCHES);
    let args = ["log", "dump", path.to_str().unwrap()];
    let batches = cli.json(&args);
    let expected = json!({
        "file": path.to_str().unwrap(), "type": "batch", "position": 79, "base_offset": 12, "last_offset": 14, "count": 3,
        "base_sequence": -1, "last_sequence": -1, "producer_id": -1, "producer_epoch": -1, "partition_leader_epoch": 3,
        "is_transactional": false, "is_control": false, "delete_horizon_ms": null, "timestamp_type": "CreateTime",
        "max_timestamp": 1_700_000_001_000_i64, "size": 187, "magic": 2, "compression": "gzip", "crc": 1_243_916_161,
        "is_valid": true,
    });
    assert_eq!((batches.len(), &batches[1]), (3, &expected));
    let batches = cli.json(&[&args[..], &["--records"]].concat());
    let record = json!({
        "offset": 10, "timestamp": 1_700_000_000_000_i64, "sequence": 7, "key": "a", "value": "1", "headers": [],
    });
    assert_eq!(batches[0]["records"][0], record);
    assert_eq!(batches[1]["records"][1]["headers"][3]["key"], "größe");
    assert_eq!(batches[2]["records"][0]["end_transaction"], json!({"result": "COMMIT", "coordinator_epoch": 5}));

    let mut bytes = fs::read(&path).unwrap();
    bytes[79 + 70] ^= 1;
    bytes.extend([0; 8]);
    fs::write(&path, &bytes).unwrap();
    let output = cli.run(&[&args[..], &["--output", "json"]].concat(), b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<_> = objects.iter().map(|object| object["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["batch", "batch", "damage", "batch", "reserved"]);
    assert_eq!((&objects[1]["is_valid"], &objects[2]["position"]), (&json!(false), &json!(79)));
    assert!(objects[2]["reason"].as_str().unwrap().starts_with("the CRC is "));
    assert_eq!((&objects[4]["position"], &objects[4]["bytes"]), (&json!(344), &json!(8)));
    assert_eq!(output.status.code(), Some(1));

    let index = cli.temporary.path().join("00000000000000000100.timeindex");
    fs::write(&index, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 5]).unwrap();
    let entries = cli.json(&["log", "dump", index.to_str().unwrap()]);
    let file = index.to_str().unwrap();
    let entry = json!({"file": file, "type": "time_index_entry", "position": 0, "timestamp": 256, "offset": 105});
    assert_eq!(entries, [entry]);
}
