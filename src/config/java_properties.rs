//! Files in the form of Java's properties, which Kafka's brokers, clients and tools are configured by.

/// The keys and values of a file, in its order. They are separated by `=`, `:` or a space; comments begin with `#` or `!`, a
/// backslash at the end of a line joins the next to it, and elsewhere it takes the meaning from the character after it, or
/// makes one of `\uXXXX`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let mut lines = text.lines().map(str::trim_start);
    std::iter::from_fn(move || {
        let line = lines.find(|line| !line.is_empty() && !line.starts_with(['#', '!']))?;
        let mut whole = line.to_owned();
        while ends_open(&whole) {
            whole.pop();
            whole.push_str(lines.next().unwrap_or_default());
        }
        let (key, value) = split(&whole);
        Some((unescape(key), unescape(value).trim_end().to_owned()))
    })
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

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                plain.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            other => plain.extend(other),
        }
    }
    plain
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
            ("a=\\u00e9\\t", "a", "\u{e9}\t"),
        ] {
            let (read_key, read_value) = split(line.trim_start());
            assert_eq!((&*unescape(read_key), &*unescape(read_value)), (key, value), "{line}");
        }
        assert!(ends_open("a\\") && !ends_open("a\\\\") && ends_open("a\\\\\\"));
    }
}
