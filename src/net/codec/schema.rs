//! What messages consist of, as data: for tools and tests that want to know it without a value at hand.

/// A struct: a message, or a part of one.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its name, as in Kafka's message definitions.
    pub name: &'static str,
    /// Its fields, in the order of the wire.
    pub fields: &'static [Field],
}

/// A field of a struct.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name: that of Kafka's message definitions, in snake case.
    pub name: &'static str,
    /// What it holds.
    pub kind: &'static Kind,
    /// The versions that have it.
    pub versions: VersionRange,
    /// The versions in which it can be null.
    pub nullable: VersionRange,
    /// Its number, if it is a tagged field: one that is left out where it has its default.
    pub tag: Option<u32>,
    /// Whether a version that hasn't got the field may be sent although the field is set.
    pub ignorable: bool,
    /// Its default as it is written in Rust, unless that is zero, empty or null.
    pub default: Option<&'static str>,
}

/// What a field holds.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A byte that is not zero if true.
    Bool,
    /// One byte.
    Int8,
    /// Two bytes.
    Int16,
    /// Two bytes without a sign.
    Uint16,
    /// Four bytes.
    Int32,
    /// Eight bytes.
    Int64,
    /// Eight bytes, as IEEE 754 has them.
    Float64,
    /// Sixteen bytes.
    Uuid,
    /// UTF-8.
    String,
    /// Bytes, or record batches.
    Bytes,
    /// Any number of one kind.
    Array(&'static Kind),
    /// A struct.
    Struct(&'static Schema),
}

/// Versions from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The first of them.
    pub first: i16,
    /// The last of them.
    pub last: i16,
}

impl VersionRange {
    /// Every version.
    pub const ALL: Self = Self::new(0, i16::MAX);
    /// No version.
    pub const NONE: Self = Self::new(0, -1);

    /// From `first` to `last`.
    pub const fn new(first: i16, last: i16) -> Self {
        Self { first, last }
    }

    /// Whether `version` is one of them.
    pub const fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }
}

impl Field {
    /// A field of all versions, without a tag.
    pub(in crate::net) const fn new(name: &'static str, kind: &'static Kind, nullable: bool) -> Self {
        let nullable = if nullable { VersionRange::ALL } else { VersionRange::NONE };
        Self { name, kind, versions: VersionRange::ALL, nullable, tag: None, ignorable: false, default: None }
    }

    pub(in crate::net) const fn versions(mut self, first: i16, last: i16) -> Self {
        self.versions = VersionRange::new(first, last);
        self
    }

    pub(in crate::net) const fn nullable(mut self, first: i16, last: i16) -> Self {
        self.nullable = VersionRange::new(first, last);
        self
    }

    pub(in crate::net) const fn tag(mut self, tag: u32) -> Self {
        self.tag = Some(tag);
        self
    }

    pub(in crate::net) const fn ignorable(mut self) -> Self {
        self.ignorable = true;
        self
    }

    pub(in crate::net) const fn default(mut self, default: &'static str) -> Self {
        if !default.is_empty() {
            self.default = Some(default);
        }
        self
    }
}
