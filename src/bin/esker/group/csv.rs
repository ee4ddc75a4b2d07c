//! Plans of resets as `kafka-consumer-groups` exports and reads them: `topic,partition,offset`, or, for more than one
//! group, `group,topic,partition,offset`.

use esker::Offset;

/// Where a group is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: Offset,
}

/// The plan as text, with a column for the group if there are many.
pub(super) fn write(entries: &[Entry], has_group: bool) -> String {
    let line = |entry: &Entry| {
        let group = if has_group { format!("{},", quoted(&entry.group)) } else { String::new() };
        format!("{group}{},{},{}\n", quoted(&entry.topic), entry.partition, entry.offset)
    };
    entries.iter().map(line).collect()
}

/// Reads a plan. Lines without a group are about `only_group`; fails with the line, from 1, that can't be read.
pub(super) fn read(text: &str, only_group: Option<&str>) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let entry = parse(line, only_group);
        entries.push(entry.ok_or_else(|| {
            let form = if only_group.is_some() { "topic,partition,offset" } else { "group,topic,partition,offset" };
            format!("line {} is not {form}: {line}", index + 1)
        })?);
    }
    Ok(entries)
}

fn parse(line: &str, only_group: Option<&str>) -> Option<Entry> {
    let fields = split(line)?;
    let (group, rest) = match (fields.len(), only_group) {
        (3, Some(group)) => (group, &fields[..]),
        (4, _) => (&*fields[0], &fields[1..]),
        _ => return None,
    };
    let [topic, partition, offset] = rest else { return None };
    Some(Entry {
        group: group.to_owned(),
        topic: topic.clone(),
        partition: partition.trim().parse().ok()?,
        offset: offset.trim().parse().ok()?,
    })
}

/// A field, in quotes if it has to be.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The fields of a line; None if a quote does not end.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    (!is_quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(group: &str, topic: &str, partition: i32, offset: Offset) -> Entry {
        Entry { group: group.to_owned(), topic: topic.to_owned(), partition, offset }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let entries = [entry("a,\"b\"", "t", 0, 5), entry("c", "u", 11, 0)];
        let text = write(&entries, true);
        assert_eq!(text, "\"a,\"\"b\"\"\",t,0,5\nc,u,11,0\n");
        assert_eq!(read(&text, None), Ok(entries.to_vec()));
        let alone = [entry("g", "t", 1, 2)];
        assert_eq!(write(&alone, false), "t,1,2\n");
        assert_eq!(read("t,1,2\r\n\n", Some("g")), Ok(alone.to_vec()));
        assert_eq!(read("g,t,1,2", Some("g")), Ok(alone.to_vec()));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for (text, group) in [("t,1,2", None), ("t,x,2", Some("g")), ("\"t,1,2", Some("g")), ("t,1", Some("g"))] {
            let refused = read(&format!("g,t,1,2\n{text}\n"), group).expect_err(text);
            assert!(refused.starts_with("line 2 is not "), "{refused}");
        }
    }
}
