//! The mechanisms of SCRAM, by which passwords are kept and shown without being told.

use super::SaslMechanism;

/// A mechanism of SCRAM. Credentials are for one: they are of no use to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ScramMechanism {
    /// `SCRAM-SHA-256`
    Sha256,
    /// `SCRAM-SHA-512`
    Sha512,
}

impl ScramMechanism {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Sha256, Self::Sha512];

    /// Kafka's number for it.
    pub(crate) const fn id(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The one with this number.
    pub(crate) fn from_id(id: i8) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.id() == id)
    }

    /// The name that it is registered by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The kind of SCRAM that a mechanism of SASL is, if it is one.
    pub(crate) const fn of(mechanism: SaslMechanism) -> Option<Self> {
        match mechanism {
            SaslMechanism::ScramSha256 => Some(Self::Sha256),
            SaslMechanism::ScramSha512 => Some(Self::Sha512),
            SaslMechanism::Plain => None,
        }
    }
}
