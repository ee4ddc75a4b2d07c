//! The batches of a segment's log file, and their records.
//!
//! A batch whose CRC is right is shown whatever its offsets are, and one whose CRC is wrong if its length leads to
//! something that can follow it. Everything else is searched for the next batch that proves itself by its CRC.

use std::fmt::Write;
use std::path::Path;

use esker::record::{
    BATCH_HEADER_BYTES, BatchHeader, BatchRef, ControlRecordType, DECOMPRESSED_BYTES_MAX, EndTransactionMarker,
    RecordView, TransactionResult,
};
use esker::{Corruption, Error, Offset};

use super::Dump;
use super::json::{Batch, Object, Record};
use super::window::Window;
use crate::failure::{Failure, Result};

impl Dump<'_> {
    pub(super) fn log(&mut self, path: &Path, base: Offset) -> Result {
        let mut file = Window::open(path).map_err(|error| Failure::cannot_read(path, error))?;
        self.print(format_args!("Dumping {}", path.display()))?;
        self.print(format_args!("Log starting offset: {base}"))?;
        let (mut position, mut expected) = (0, base);
        while position < file.len() {
            match step(&mut file, position, expected).map_err(|error| Failure::cannot_read(path, error))? {
                Step::Batch { header, problem } => {
                    self.batch(&mut file, position, &header, problem.as_ref(), path)?;
                    if !matches!(problem, Some(Corruption::OffsetOrder { .. })) {
                        expected = header.next_offset();
                    }
                    position += header.size() as u64;
                }
                Step::Reserved => {
                    let bytes = file.len() - position;
                    let line = format_args!("Found {bytes} bytes of reserved space at the end of {}", name(path));
                    self.show(Object::Reserved { position, bytes }, line)?;
                    position = file.len();
                }
                Step::Damage { until, reason } => {
                    self.damage(position, format_args!("{reason}; {} bytes can't be read", until - position))?;
                    position = until;
                }
            }
        }
        Ok(())
    }

    fn batch(
        &mut self,
        file: &mut Window,
        position: u64,
        header: &BatchHeader,
        problem: Option<&Corruption>,
        path: &Path,
    ) -> Result {
        if header.last_offset() >= self.args.offset {
            let is_valid = !matches!(problem, Some(Corruption::Crc { .. }));
            let (mut records, mut result) = (None, Ok(()));
            if self.args.records && is_valid {
                let bytes = file.bytes(position, header.size()).map_err(|error| Failure::cannot_read(path, error))?;
                let mut read = Records { is_json: self.is_json, header, lines: String::new(), objects: Vec::new() };
                result = read.read(bytes);
                records = Some(read);
            }
            let line = batch_line(header, position, is_valid);
            let (lines, objects) = records.map(|records| (records.lines, records.objects)).unzip();
            let lines = lines.unwrap_or_default();
            let object = Object::Batch(Box::new(Batch::new(header, position, is_valid, objects)));
            self.show(object, format_args!("{line}{lines}"))?;
            if let Err(error) = result {
                self.damage(position, error)?;
            }
        }
        match problem {
            Some(problem) => self.damage(position, problem),
            None => Ok(()),
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What is at a position of a log file.
enum Step {
    /// A batch, and what is wrong with it, if anything is.
    Batch { header: BatchHeader, problem: Option<Corruption> },
    /// Zeros up to the end: space that was reserved for appends.
    Reserved,
    /// Nothing that can be read, up to the next batch or the end.
    Damage { until: u64, reason: String },
}

fn step(file: &mut Window, position: u64, expected: Offset) -> std::io::Result<Step> {
    let remaining = file.len() - position;
    let head = file.bytes(position, remaining.min(BATCH_HEADER_BYTES as u64) as usize)?;
    if head.iter().all(|byte| *byte == 0) && file.is_zero_from(position)? {
        return Ok(Step::Reserved);
    }
    let head = file.bytes(position, remaining.min(BATCH_HEADER_BYTES as u64) as usize)?;
    let reason = match BatchHeader::parse(head) {
        Ok(header) if header.size() as u64 > remaining => {
            Corruption::Truncated { needed: header.size() as u64, available: remaining }.to_string()
        }
        Ok(header) => match problem_of(file, position, &header, expected)? {
            Verdict::Batch(problem) => return Ok(Step::Batch { header, problem }),
            Verdict::Nothing(reason) => reason,
        },
        Err(error) => reason_of(&error),
    };
    let until = resync(file, position, expected)?.unwrap_or(file.len());
    Ok(Step::Damage { until, reason })
}

/// Whether a header that could be one is one.
enum Verdict {
    Batch(Option<Corruption>),
    Nothing(String),
}

fn problem_of(file: &mut Window, position: u64, header: &BatchHeader, expected: Offset) -> std::io::Result<Verdict> {
    let after = position + header.size() as u64;
    let next = next_base_offset(file, after)?;
    let leads_on = next.is_none_or(|next| next >= header.next_offset());
    let out_of_order = || Corruption::OffsetOrder { expected, found: header.base_offset };
    let checked = BatchRef::parse(file.bytes(position, header.size())?).map(|_| ());
    Ok(match checked {
        Ok(()) if header.base_offset < expected => Verdict::Batch(Some(out_of_order())),
        // Offsets lie outside the CRC. Compaction leaves gaps between batches; running into the next is damage.
        Ok(()) if header.base_offset > expected && !leads_on => Verdict::Batch(Some(out_of_order())),
        Ok(()) => Verdict::Batch(None),
        Err(Error::CorruptRecord { reason: reason @ Corruption::Crc { .. }, .. })
            if header.base_offset >= expected && leads_on && (next.is_some() || file.is_zero_from(after)?) =>
        {
            Verdict::Batch(Some(reason))
        }
        Err(error) => Verdict::Nothing(reason_of(&error)),
    })
}

/// The base offset of the batch that begins at `position`, if one seems to.
fn next_base_offset(file: &mut Window, position: u64) -> std::io::Result<Option<Offset>> {
    if file.len() - position < BATCH_HEADER_BYTES as u64 {
        return Ok(None);
    }
    let header = BatchHeader::parse(file.bytes(position, BATCH_HEADER_BYTES)?);
    Ok(header.ok().map(|header| header.base_offset))
}

/// Where, behind `position`, the next batch begins that its CRC proves.
fn resync(file: &mut Window, position: u64, expected: Offset) -> std::io::Result<Option<u64>> {
    const MAGIC_POSITION: usize = 16;
    for start in position + 1..file.len().saturating_sub(BATCH_HEADER_BYTES as u64 - 1) {
        let head = file.bytes(start, BATCH_HEADER_BYTES)?;
        if head[MAGIC_POSITION] != 2 {
            continue;
        }
        let Ok(header) = BatchHeader::parse(head) else { continue };
        if header.base_offset >= expected
            && header.size() as u64 <= file.len() - start
            && BatchRef::parse(file.bytes(start, header.size())?).is_ok()
        {
            return Ok(Some(start));
        }
    }
    Ok(None)
}

/// What is wrong, without the position, which the dump shows itself.
fn reason_of(error: &Error) -> String {
    match error {
        Error::CorruptRecord { reason, .. } => reason.to_string(),
        other => other.to_string(),
    }
}

fn batch_line(header: &BatchHeader, position: u64, is_valid: bool) -> String {
    let delete_horizon = match header.attributes.has_delete_horizon() {
        true => format!("OptionalLong[{}]", header.base_timestamp),
        false => "OptionalLong.empty".to_owned(),
    };
    let codec = codec_name(header);
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {delete_horizon} \
         position: {position} {:?}: {} size: {} magic: 2 compresscodec: {codec} crc: {} isvalid: {is_valid}",
        header.base_offset,
        header.last_offset(),
        header.records_count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.is_transactional(),
        header.is_control(),
        header.timestamp_type(),
        header.max_timestamp,
        header.size(),
        header.crc,
    )
}

/// The records of a batch, up to the first that can't be read.
struct Records<'a> {
    is_json: bool,
    header: &'a BatchHeader,
    /// A line for each, which begins with the newline that ends the one before.
    lines: String,
    objects: Vec<Record>,
}

impl Records<'_> {
    fn read(&mut self, bytes: &[u8]) -> esker::Result<()> {
        BatchRef::parse(bytes)?.for_each_record(DECOMPRESSED_BYTES_MAX, |record| {
            match self.is_json {
                true => self.objects.push(Record::new(record, self.header)),
                false => push_record(&mut self.lines, record, self.header),
            }
            Ok(())
        })
    }
}

/// The sequence number of a record; −1 if it has none.
pub(super) fn sequence_of(record: &RecordView<'_>, header: &BatchHeader) -> i32 {
    let delta = (record.offset - header.base_offset) as i32;
    // After 2147483647 comes 0.
    if header.has_sequence() { header.base_sequence.wrapping_add(delta) & i32::MAX } else { -1 }
}

/// The name of a batch's codec, or its number if it has none.
pub(super) fn codec_name(header: &BatchHeader) -> String {
    header.compression().map_or_else(|_| header.attributes.codec_id().to_string(), |codec| codec.name().to_owned())
}

fn push_record(lines: &mut String, record: &RecordView<'_>, header: &BatchHeader) {
    let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
    let sequence = sequence_of(record, header);
    let key =
        |key: esker::Result<esker::record::Header<'_>>| key.map_or("?".to_owned(), |header| header.key.to_owned());
    let header_keys: Vec<_> = record.headers().map(key).collect();
    // Writing to a string can't fail.
    let _ = write!(
        lines,
        "\n| offset: {} {:?}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset,
        header.timestamp_type(),
        record.timestamp,
        size(record.key),
        size(record.value),
        header_keys.join(","),
    );
    if header.is_control() {
        push_control(lines, record);
    } else {
        for (what, bytes) in [("key", record.key), ("payload", record.value)] {
            if let Some(bytes) = bytes {
                let _ = write!(lines, " {what}: {}", String::from_utf8_lossy(bytes));
            }
        }
    }
}

fn push_control(lines: &mut String, record: &RecordView<'_>) {
    let _ = match EndTransactionMarker::parse(record) {
        Ok(Some(EndTransactionMarker { result, coordinator_epoch })) => {
            let result = if result == TransactionResult::Commit { "COMMIT" } else { "ABORT" };
            write!(lines, " endTxnMarker: {result} coordinatorEpoch: {coordinator_epoch}")
        }
        _ => match ControlRecordType::parse(record.key.unwrap_or_default()) {
            Ok(control_type) => write!(lines, " controlType: {control_type:?}({})", control_type.id()),
            Err(error) => write!(lines, " controlType: {}", reason_of(&error)),
        },
    };
}
