//! Regular expressions that clients send and that stand for all names which they match as a whole: what members of consumer
//! groups are subscribed to (KIP-848), and which transactional ids are listed (KIP-1152).

use regex_lite::{Regex, RegexBuilder};

use crate::error::GroupError;

/// How long an expression may be, in bytes, and how large what it compiles to.
const REGEX_BYTES_MAX: usize = 4096;
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Compiled, for an engine that takes linear time whatever it says, as Kafka's RE2/J does.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// # Errors
    ///
    /// [`GroupError::InvalidRegularExpression`].
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
