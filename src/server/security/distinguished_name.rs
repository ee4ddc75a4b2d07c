//! The subject of a certificate as text, `CN=alice,O=Example`: the last part first, as RFC 2253 and Kafka have it.

/// The parts that have a name. Others are written as their numbers and bytes.
const NAMES: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// Reads a name in DER: a sequence of sets of pairs of an object identifier and a string. None if it is something else.
pub(super) fn to_text(der: &[u8]) -> Option<String> {
    let mut names = Vec::new();
    let (mut sets, _) = element(der, SEQUENCE)?;
    while !sets.is_empty() {
        let (mut pairs, rest) = element(sets, SET)?;
        sets = rest;
        let mut parts = Vec::new();
        while !pairs.is_empty() {
            let (pair, rest) = element(pairs, SEQUENCE)?;
            pairs = rest;
            parts.push(part(pair)?);
        }
        names.push(parts.join("+"));
    }
    names.reverse();
    Some(names.join(","))
}

fn part(pair: &[u8]) -> Option<String> {
    let (id, value) = element(pair, OBJECT_IDENTIFIER)?;
    let (text, _) = element(value, *value.first()?)?;
    match (NAMES.iter().find(|(known, _)| *known == id), std::str::from_utf8(text)) {
        (Some((_, name)), Ok(text)) => Some(format!("{name}={}", escape(text))),
        _ => Some(format!("{}=#{}", hex(id), hex(value))),
    }
}

/// What the element of this type at the start of `der` holds, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (len, rest) = rest.split_first()?;
    let (len, rest) = match len {
        0x81 => rest.split_first().map(|(len, rest)| (usize::from(*len), rest))?,
        0x82 => rest.split_first_chunk().map(|(len, rest)| (usize::from(u16::from_be_bytes(*len)), rest))?,
        0..=0x7f => (usize::from(*len), rest),
        _ => return None,
    };
    (*first == tag).then(|| rest.split_at_checked(len))?
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if ",+\"\\<>;=".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `O=A,CN=b` in the order of the certificate.
    const NAME: &[u8] =
        b"\x30\x18\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01A\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01b";

    #[test]
    fn a_name_is_written_from_its_end() {
        assert_eq!(to_text(NAME).as_deref(), Some("CN=b,O=A"));
        assert_eq!(to_text(b"\x30\x00").as_deref(), Some(""));
        let comma = b"\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02a,";
        assert_eq!(to_text(comma).as_deref(), Some("CN=a\\,"));
    }

    #[test]
    fn whatever_it_is_that_is_no_name_is_none() {
        for end in 0..NAME.len() {
            assert_eq!(to_text(&NAME[..end]), None, "{end} bytes of it");
        }
        for at in 0..NAME.len() {
            for byte in 0..=255 {
                let mut other = NAME.to_vec();
                other[at] = byte;
                // It must come to an end, and not go beyond the bytes.
                let _ = to_text(&other);
            }
        }
    }
}
