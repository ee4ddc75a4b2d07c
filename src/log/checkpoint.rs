//! Kafka's checkpoint files: a few lines of text that are replaced as a whole.
//!
//! ```text
//!   0                  version, always 0
//!   2                  number of entries
//!   payments 0 1234    the entries, one a line, fields between spaces
//!   payments 1 99
//! ```

use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::io::{Storage, replace_file};
use crate::types::Offset;

use super::file_name::OFFSET_MAX;

/// Reads the entries of a checkpoint file, each with exactly `FIELDS` fields. A file that is missing or empty has none.
pub(crate) fn read<const FIELDS: usize>(storage: &dyn Storage, file: &Path) -> Result<Vec<[String; FIELDS]>> {
    match storage.read(file) {
        Ok(contents) => parse(file, &contents),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("read", file, error)),
    }
}

fn parse<const FIELDS: usize>(file: &Path, contents: &[u8]) -> Result<Vec<[String; FIELDS]>> {
    let malformed = |line: usize, reason: String| Error::MalformedFile { file: file.to_owned(), line, reason };
    let text = std::str::from_utf8(contents).map_err(|_| malformed(1, "it is not UTF-8".into()))?;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    match lines.next() {
        None => return Ok(Vec::new()),
        Some((_, "0")) => {}
        Some((line, version)) => return Err(malformed(line, format!("version {version:?} is not 0"))),
    }
    let (line, count) = lines.next().unwrap_or((2, ""));
    let count: usize = count.parse().map_err(|_| malformed(line, format!("{count:?} is not a number of entries")))?;
    let mut entries = Vec::new();
    for (line, text) in lines.filter(|(_, text)| !text.is_empty()) {
        let fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let found = fields.len();
        entries.push(fields.try_into().map_err(|_| malformed(line, format!("{found} fields, not {FIELDS}")))?);
    }
    if entries.len() != count {
        return Err(malformed(2, format!("{count} entries are announced, {} follow", entries.len())));
    }
    Ok(entries)
}

/// The lines of a malformed file that could be entries.
pub(crate) fn salvage<const FIELDS: usize>(contents: &[u8]) -> Vec<[String; FIELDS]> {
    let text = String::from_utf8_lossy(contents);
    let entry = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().try_into().ok();
    text.lines().filter_map(entry).collect()
}

/// Replaces a checkpoint file, so that a crash leaves the old or the new entries.
pub(crate) fn write<const FIELDS: usize>(
    storage: &dyn Storage,
    file: &Path,
    entries: &[[String; FIELDS]],
) -> Result<()> {
    replace_file(storage, file, text(entries).as_bytes()).map_err(|error| Error::io("write", file, error))
}

/// What a file with these entries says.
pub(crate) fn text<const FIELDS: usize>(entries: &[[String; FIELDS]]) -> String {
    let mut text = format!("0\n{}\n", entries.len());
    for entry in entries {
        let _ = writeln!(text, "{}", entry.join(" "));
    }
    text
}

/// Reads a field as a number.
pub(crate) fn number<T: std::str::FromStr>(file: &Path, field: &str) -> Result<T> {
    field.parse().map_err(|_| Error::MalformedFile {
        file: file.to_owned(),
        line: 0,
        reason: format!("{field:?} is not a number in range"),
    })
}

/// Reads a field as an offset that a log can have.
pub(crate) fn offset(file: &Path, field: &str) -> Result<Offset> {
    let offset: Offset = number(file, field)?;
    if offset > OFFSET_MAX {
        let reason = format!("offset {offset} is beyond what a log can hold");
        return Err(Error::MalformedFile { file: file.to_owned(), line: 0, reason });
    }
    Ok(offset.max(0))
}

/// Any text as a field, which stands between spaces: what could be taken for one, and `%`, is `%` and two digits a
/// byte.
pub(crate) fn escape(text: &str) -> String {
    let mut field = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || c == '%' {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| field.push_str(&format!("%{byte:02X}")));
        } else {
            field.push(c);
        }
    }
    field
}

/// The text that a field was made of.
pub(crate) fn unescape(field: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(field.len()), field.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, more) = rest.split_first_chunk::<2>()?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = more;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Result<Vec<[String; 3]>> {
        parse(Path::new("recovery-point-offset-checkpoint"), text.as_bytes())
    }

    #[test]
    fn kafkas_text_is_read() {
        let found = entries("0\n2\nmy-topic 0 1234\nmy-topic 1 99\n").expect("well-formed");
        assert_eq!(found[1], ["my-topic", "1", "99"]);
        assert!(entries("").expect("an empty file has no entries").is_empty());
        assert!(entries("0\n0\n").expect("no entries").is_empty());
    }

    #[test]
    fn what_is_malformed_is_refused_with_its_line() {
        for (text, line) in [
            ("1\n0\n", 1),
            ("0\nx\n", 2),
            ("0\n", 2),
            ("0\n2\na 0 1\n", 2),
            ("0\n1\na 0\n", 3),
            ("0\n1\na 0 1 2\n", 3),
            ("0\n-1\n", 2),
        ] {
            match entries(text) {
                Err(Error::MalformedFile { line: found, .. }) => assert_eq!(found, line, "{text:?}"),
                other => panic!("{text:?} gave {other:?}"),
            }
        }
    }

    #[test]
    fn any_text_is_one_field() {
        for name in ["alice", "a b\t%\n", "é\u{2003}\u{0}%41", "%"] {
            let field = escape(name);
            assert_eq!(field.split_whitespace().collect::<Vec<_>>(), [&*field], "{name:?}");
            assert_eq!(unescape(&field).as_deref(), Some(name));
        }
        for field in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(unescape(field), None, "{field}");
        }
    }
}
