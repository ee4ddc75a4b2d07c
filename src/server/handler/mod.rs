//! The answers, one file an API.

pub(super) mod api_versions;
pub(super) mod fetch;
pub(super) mod heartbeat;
pub(super) mod join_group;
pub(super) mod leave_group;
pub(super) mod metadata;
pub(super) mod produce;
pub(super) mod sync_group;
