//! A consumer without the feature `coordinator`: it reads what it is assigned, and is a member of nothing.

use std::time::Instant;

use super::Consumer;
use crate::error::Result;
use crate::log::wait::Parker;
use crate::types::{Acks, ConsumerGroupMetadata};

impl Consumer {
    pub(super) fn is_subscribed(&self) -> bool {
        false
    }

    pub(super) fn attend(&self, _polls: bool) {}

    pub(super) fn follow_group(&mut self) -> Result<()> {
        Ok(())
    }

    pub(super) fn await_group(&self, _parker: &Parker) -> Option<Instant> {
        None
    }

    pub(super) fn has_group_news(&self) -> bool {
        false
    }

    pub(super) fn commit_as_member(&self, acks: Acks, commit: impl FnOnce(Acks) -> Result<()>) -> Result<()> {
        commit(acks)
    }

    pub(super) fn sign(&self, metadata: ConsumerGroupMetadata) -> ConsumerGroupMetadata {
        metadata
    }

    pub(super) fn leave_group(&mut self) {}
}
