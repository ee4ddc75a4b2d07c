//! Configs that nobody is to see.

use crate::config::ConfigType;
use crate::config::value::{ConfigValue, Valid};

/// Text that nobody is to see: it is not told when configs are described, nor in errors and debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A secret; empty for none.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret.
    pub fn secret(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_set(&self) -> bool {
        !self.0.is_empty()
    }
}

impl From<&str> for Password {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.print())
    }
}

impl ConfigValue for Password {
    const TYPE: ConfigType = ConfigType::Password;
    const EXPECTED: &'static str = "text";

    fn parse(value: &str) -> Option<Self> {
        Some(Self::new(value))
    }

    fn print(&self) -> String {
        if self.is_set() { "[hidden]".to_owned() } else { String::new() }
    }
}

impl Valid<Password> {
    /// None.
    pub(in crate::config) fn unset() -> Self {
        let expected = "nothing: keys and certificates are read as they are, in PEM";
        Self::new(|password: &Password| !password.is_set(), expected)
    }
}
