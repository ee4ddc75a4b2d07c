//! Kafka's rules for topic names, and the names of partition directories.

use crate::error::{Error, Result, TopicNameError};
use crate::types::TopicPartition;
use crate::uuid::Uuid;

const NAME_BYTES_MAX: usize = 249;
const DIR_BYTES_MAX: usize = 255;
const DELETE_SUFFIX: &str = "-delete";
const STRAY_SUFFIX: &str = "-stray";
/// The suffixes of directories that are not live partitions. Kafka may leave the last two.
const SUFFIXES: [&str; 3] = [DELETE_SUFFIX, "-future", STRAY_SUFFIX];

/// Refuses a name that no topic can have.
pub(crate) fn validate(name: &str) -> Result<()> {
    let fail = |reason| Err(Error::InvalidTopic { topic: name.to_owned(), reason });
    if name.is_empty() {
        return fail(TopicNameError::Empty);
    }
    if name == "." || name == ".." {
        return fail(TopicNameError::Dots);
    }
    if name.len() > NAME_BYTES_MAX {
        return fail(TopicNameError::TooLong);
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return fail(TopicNameError::IllegalCharacter);
    }
    if name == CLUSTER_METADATA {
        return fail(TopicNameError::ClusterMetadata);
    }
    Ok(())
}

/// Whether two names can't be told apart where '.' becomes '_', as in the names of metrics.
pub(crate) fn collide(a: &str, b: &str) -> bool {
    let same = |(a, b): (u8, u8)| a == b || (b"._".contains(&a) && b"._".contains(&b));
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(same)
}

/// Whether the topic is the store's own.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Refuses what is the store's own to create, change and delete.
pub(super) fn refuse_internal(name: &str) -> Result<()> {
    match is_internal(name) {
        true => Err(Error::InvalidTopic { topic: name.to_owned(), reason: TopicNameError::Internal }),
        false => Ok(()),
    }
}

/// The topic in which Kafka's controllers keep the metadata of a cluster: its log may lie in the same directory, and is
/// nobody else's to touch.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// What a directory's name says it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DirName {
    /// A partition.
    Partition(TopicPartition),
    /// A deleted partition that waits for its removal. Its topic's name may be cut short.
    Deleted,
    /// A partition that Kafka has put aside, is moving, or keeps for itself: not ours to touch.
    Other,
}

/// Reads the name of a directory, which ends in the partition's index after the last dash.
pub(crate) fn parse_dir(name: &str) -> DirName {
    for suffix in SUFFIXES {
        if let Some(rest) = name.strip_suffix(suffix)
            && rest.rsplit_once('.').is_some_and(|(_, id)| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return if suffix == DELETE_SUFFIX { DirName::Deleted } else { DirName::Other };
        }
    }
    match name.rsplit_once('-') {
        Some((topic, digits)) if validate(topic).is_ok() => {
            index(digits).map_or(DirName::Other, |index| DirName::Partition(TopicPartition::new(topic, index)))
        }
        _ => DirName::Other,
    }
}

/// The number whose digits these are, written as a partition's directory has them and no other way.
fn index(digits: &str) -> Option<i32> {
    let index: u32 = digits.parse().ok()?;
    i32::try_from(index).ok().filter(|index| index.to_string() == digits)
}

/// The name that a partition's directory gets when it is deleted.
pub(crate) fn deleted_dir(partition: &TopicPartition, id: Uuid) -> String {
    dir_with_suffix(partition, id, DELETE_SUFFIX)
}

/// The name that a partition's directory gets when it belongs to no topic that is there.
pub(crate) fn stray_dir(partition: &TopicPartition, id: Uuid) -> String {
    dir_with_suffix(partition, id, STRAY_SUFFIX)
}

fn dir_with_suffix(partition: &TopicPartition, id: Uuid, suffix: &str) -> String {
    let suffix = format!("-{}.{}{suffix}", partition.partition, id.to_hex());
    let topic = &partition.topic[..partition.topic.len().min(DIR_BYTES_MAX - suffix.len())];
    format!("{topic}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        let longest = "x".repeat(249);
        for name in ["a", "A.b_c-9", "...", longest.as_str()] {
            assert!(validate(name).is_ok(), "{name}");
        }
        let too_long = "x".repeat(250);
        for name in ["", ".", "..", "a/b", "a b", "ä", "a\0", too_long.as_str()] {
            assert!(validate(name).is_err(), "{name:?}");
        }
        assert!(collide("a.b", "a_b") && collide("a.b", "a.b") && !collide("a.b", "a-b"));
    }

    #[test]
    fn directories_parse_at_the_last_dash() {
        let partition = |topic: &str, index| DirName::Partition(TopicPartition::new(topic, index));
        assert_eq!(parse_dir("a-b-12"), partition("a-b", 12));
        assert_eq!(parse_dir("a-"), DirName::Other);
        assert_eq!(parse_dir("__cluster_metadata-0"), DirName::Other);
        assert_eq!(parse_dir("a-0"), partition("a", 0));
        for digits in ["00", "01", "+1", "99999999999", "2147483648"] {
            assert_eq!(parse_dir(&format!("a-{digits}")), DirName::Other, "{digits}");
        }
        assert_eq!(parse_dir("lost+found"), DirName::Other);
        let id = Uuid::from_bytes([0xab; 16]);
        let name = deleted_dir(&TopicPartition::new("x".repeat(249), 3), id);
        assert_eq!(name.len(), 255);
        assert_eq!(parse_dir(&name), DirName::Deleted);
    }
}
