//! Regular expressions that clients send and that stand for all names which they match as a whole: what members of
//! consumer groups are subscribed to (KIP-848), and which transactional ids are listed (KIP-1152).
//!
//! They are matched with many names while all groups wait, and that takes time by the product of an expression's size
//! and a name's length. So the size is bounded, which Kafka leaves to RE2/J: counted repetitions such as
//! `(?:[a-z]{1,50}){1,20}` soon come to more than all that is written out.

use regex_lite::{Regex, RegexBuilder};

use crate::error::GroupError;

/// How long an expression may be, in bytes.
const REGEX_BYTES_MAX: usize = 4096;
/// How large what it compiles to may be, in bytes. A letter takes about 30, a class of characters 60 to 130: names
/// between bars, as many as the length allows, come to 120 KiB, `[a-zA-Z0-9._-]{1,249}` to 28.
const COMPILED_BYTES_MAX: usize = 128 << 10;

/// Compiled, for an engine that takes linear time whatever it says, as Kafka's RE2/J does.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// # Errors
    ///
    /// [`GroupError::InvalidRegularExpression`], also of one that is too large.
    pub(crate) fn new(regex: &str) -> Result<Self, GroupError> {
        if regex.len() > REGEX_BYTES_MAX {
            return Err(GroupError::InvalidRegularExpression);
        }
        // It must be valid without the parentheses, too.
        let build = |text: &str| RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build();
        let whole = build(regex).and_then(|_| build(&format!("^(?:{regex})$")));
        whole.map(Self).map_err(|_| GroupError::InvalidRegularExpression)
    }

    /// Whether it stands for this name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_honestly_has_room() {
        let names: Vec<_> = (0..180).map(|index| format!("team-{index:03}.orders.stage")).collect();
        for regex in [&*names.join("|"), r"\w+", r"\w{1,249}", r"team-\w+\.(?:orders|bills)\.[a-z0-9_.-]{3,50}", ".*"] {
            assert!(Pattern::new(regex).is_ok(), "{regex}");
        }
        assert!(Pattern::new(&names.join("|")).expect("a pattern").matches("team-179.orders.stage"));
    }

    #[test]
    fn what_would_hold_up_everybody_is_refused() {
        for regex in ["(?:[a-z]{1,50}){1,50}Z", "(?:(?:a?){50}){100}", r"(?:\w*){2000}"] {
            assert_eq!(Pattern::new(regex).err(), Some(GroupError::InvalidRegularExpression), "{regex}");
        }
    }
}
