//! The answers, one file an API.

pub(super) mod api_versions;
pub(super) mod fetch;
pub(super) mod metadata;
pub(super) mod produce;
