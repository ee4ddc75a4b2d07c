//! Files in the form of Java's properties, which Kafka's brokers, clients and tools are configured by.

use std::str::Chars;

use super::invalid;
use crate::error::Result;

/// The keys and values of a file, in its order. They are separated by `=`, `:` or a space; comments begin with `#` or
/// `!`, a backslash at the end of a line joins the next to it, and elsewhere it takes the meaning from the character
/// after it, or makes one of `\uXXXX`, or of two of these.
///
/// A `\u` without four hexadecimal digits is an error, as it is in Java.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = Result<(String, String)>> {
    let mut lines = (1..).zip(text.lines().map(str::trim_start));
    std::iter::from_fn(move || {
        let (number, line) = lines.find(|(_, line)| !line.is_empty() && !line.starts_with(['#', '!']))?;
        let mut whole = line.to_owned();
        while ends_open(&whole) {
            whole.pop();
            whole.push_str(lines.next().map_or("", |(_, line)| line));
        }
        Some(pair(&whole, number))
    })
}

fn pair(line: &str, number: u32) -> Result<(String, String)> {
    let (key, value) = split(line);
    match (unescape(key), unescape(value)) {
        (Some(key), Some(value)) => Ok((key, value.trim_end().to_owned())),
        // It may be a secret.
        _ => Err(invalid(key, "[hidden]", format!("four hexadecimal digits after \\u, in line {number}"))),
    }
}

/// Whether a line goes on in the next: its last backslash isn't itself behind one.
fn ends_open(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or space that isn't behind a backslash.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let is_end = !escaped && (c == '=' || c == ':' || c.is_whitespace());
        escaped = c == '\\' && !escaped;
        is_end
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

/// None if there is something wrong with a `\uXXXX`.
fn unescape(text: &str) -> Option<String> {
    // As in Java's strings, a character beyond the first 65536 is two of them.
    let mut utf16 = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    utf16.push(code_unit(&mut chars)?);
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        utf16.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&utf16))
}

/// What the next four characters are as hexadecimal digits.
fn code_unit(chars: &mut Chars<'_>) -> Option<u16> {
    let value = (0..4).try_fold(0, |value, _| Some(16 * value + chars.next()?.to_digit(16)?))?;
    u16::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_java_does() {
        for (line, key, value) in [
            ("a=b", "a", "b"),
            ("  a : b c", "a", "b c"),
            ("a b=c", "a", "b=c"),
            ("a", "a", ""),
            ("a\\=b=c\\\\d", "a=b", "c\\d"),
            ("a=\\u00e9\\tb", "a", "\u{e9}\tb"),
            ("a=\\uD83d\\ude00\u{1f600}", "a", "\u{1f600}\u{1f600}"),
            // Half a character.
            ("a=\\ud83dx\\ude00", "a", "\u{fffd}x\u{fffd}"),
        ] {
            let read: Result<Vec<_>> = pairs(line).collect();
            assert_eq!(read.expect("what Java reads"), [(key.to_owned(), value.to_owned())], "{line}");
        }
        assert!(ends_open("a\\") && !ends_open("a\\\\") && ends_open("a\\\\\\"));
    }
}
