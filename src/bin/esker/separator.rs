//! Texts between the parts of a line, in which a backslash stands for what can't be typed.

/// Reads a text in which `\t`, `\n`, `\r`, `\0` and `\\` stand for one byte each.
pub(crate) fn separator(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match chars.next() {
            Some('t') => b'\t',
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('0') => 0,
            Some('\\') => b'\\',
            _ => return Err(r"after a backslash comes t, n, r, 0 or another backslash".to_owned()),
        });
    }
    Ok(bytes)
}

/// Reads a separator that has at least one byte, so that it can be found.
pub(crate) fn separator_to_find(text: &str) -> Result<Vec<u8>, String> {
    match separator(text)? {
        empty if empty.is_empty() => Err("it must not be empty".to_owned()),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_stands_for_what_can_not_be_typed() {
        assert_eq!(separator(r"a\t\n\r\0\\ö"), Ok(b"a\t\n\r\0\\\xc3\xb6".to_vec()));
        assert_eq!(separator(""), Ok(Vec::new()));
        assert!(separator_to_find("").is_err());
        for text in [r"\", r"\x", r"\\\"] {
            assert!(separator(text).is_err(), "{text}");
        }
    }
}
