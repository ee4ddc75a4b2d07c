//! Changes to a message on its way: what somebody does to it who doesn't write it all himself.

use bytes::Bytes;

use crate::session::{byte, sized};

/// A change to a message.
#[derive(Debug)]
pub struct Edit<'a> {
    /// Where it is, from the end: what is at the beginning are headers.
    from_end: usize,
    /// How many bytes it takes out.
    removed: usize,
    /// What it puts in their place.
    added: &'a [u8],
}

impl<'a> Edit<'a> {
    /// The changes that `data` says, a message each.
    pub fn all(mut data: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (from_end, removed) = (byte(&mut data)?.into(), byte(&mut data)?.into());
            Some(Self { from_end, removed, added: sized(&mut data)? })
        })
    }

    /// As [`all`](Self::all) reads it.
    pub fn to_bytes(from_end: u8, removed: u8, added: &[u8]) -> Vec<u8> {
        [&[from_end, removed], &(added.len() as u16).to_be_bytes()[..], added].concat()
    }

    /// Changes a message. Where there is nothing to change, it is left as it is.
    pub fn apply(&self, message: &mut Vec<u8>) {
        let start = message.len().saturating_sub(self.from_end);
        let end = message.len().min(start + self.removed);
        message.splice(start..end, self.added.iter().copied());
    }

    /// The message as it is then.
    pub fn applied(&self, message: &[u8]) -> Bytes {
        let mut changed = message.to_vec();
        self.apply(&mut changed);
        changed.into()
    }
}
