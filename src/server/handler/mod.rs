//! The answers, one file an API.

pub(super) mod api_versions;
pub(super) mod delete_groups;
pub(super) mod describe_groups;
pub(super) mod fetch;
pub(super) mod find_coordinator;
pub(super) mod heartbeat;
pub(super) mod init_producer_id;
pub(super) mod join_group;
pub(super) mod leave_group;
pub(super) mod list_groups;
pub(super) mod metadata;
pub(super) mod offset_commit;
pub(super) mod offset_delete;
pub(super) mod offset_fetch;
pub(super) mod produce;
pub(super) mod sync_group;
