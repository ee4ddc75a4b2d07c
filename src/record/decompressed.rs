//! Decompressed records that this process only looks at, and how many bytes of them there are at a time.
//!
//! A few kilobytes may become [`DECOMPRESSED_BYTES_MAX`], and many threads may look into such batches at once. What
//! becomes no more than 1 MiB is looked at freely. Of what becomes more, each size has a number of shares, and who
//! finds none left waits for one. A batch does not say what it becomes, so each size is tried after the one before;
//! what is decompressed twice is small beside the rest.
//!
//! Whoever holds a share must not wait for another, nor for anybody who may: it is held by those who look at records
//! and do nothing else. Records that are handed out have none, for nobody knows when they go.

use std::ops::Deref;

use parking_lot::{Condvar, Mutex};

use crate::error::{Corruption, Error, Result};
use crate::record::DECOMPRESSED_BYTES_MAX;

/// What is decompressed without a share.
const FREE_BYTES_MAX: usize = 1 << 20;

/// Most of the batches that are worth packing large become no more than this.
const LARGE_BYTES_MAX: usize = 16 << 20;
/// 128 MiB in all.
static LARGE: Shares = Shares::new(8);
/// Those up to [`DECOMPRESSED_BYTES_MAX`]: 256 MiB in all.
static HUGE: Shares = Shares::new(2);

const _: () = assert!(FREE_BYTES_MAX < LARGE_BYTES_MAX && LARGE_BYTES_MAX < DECOMPRESSED_BYTES_MAX);

/// The records of a batch, and the share in which they are held.
#[derive(Debug)]
pub(super) struct Decompressed {
    // Goes before the share is given back.
    bytes: Vec<u8>,
    _share: Option<Share<'static>>,
}

impl Decompressed {
    /// What `decompress` makes of a batch, given how many bytes that may be. Waits if there is much of it elsewhere.
    pub(super) fn new(decompress: impl Fn(usize) -> Result<Vec<u8>>) -> Result<Self> {
        let is_more = |result: &Result<Vec<u8>>| {
            matches!(result, Err(Error::CorruptRecord { reason: Corruption::DecompressedSize { .. }, .. }))
        };
        let freely = decompress(FREE_BYTES_MAX);
        if !is_more(&freely) {
            return Ok(Self { bytes: freely?, _share: None });
        }
        let share = LARGE.take();
        let large = decompress(LARGE_BYTES_MAX);
        if !is_more(&large) {
            return Ok(Self { bytes: large?, _share: Some(share) });
        }
        // Two who wait for a second share while they hold one may wait for each other.
        drop(share);
        let share = HUGE.take();
        Ok(Self { bytes: decompress(DECOMPRESSED_BYTES_MAX)?, _share: Some(share) })
    }
}

impl Deref for Decompressed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How many may hold one more.
#[derive(Debug)]
struct Shares {
    left: Mutex<usize>,
    given_back: Condvar,
}

impl Shares {
    const fn new(count: usize) -> Self {
        Self { left: Mutex::new(count), given_back: Condvar::new() }
    }

    /// Waits until there is one.
    fn take(&self) -> Share<'_> {
        let mut left = self.left.lock();
        self.given_back.wait_while(&mut left, |left| *left == 0);
        *left -= 1;
        Share { of: self }
    }
}

/// Given back when it is dropped.
#[derive(Debug)]
struct Share<'a> {
    of: &'a Shares,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.of.left.lock() += 1;
        self.of.given_back.notify_one();
    }
}

#[cfg(all(test, not(any(esker_loom, esker_shuttle))))]
mod tests {
    use std::cell::RefCell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn all_get_a_share_and_no_more_at_a_time_than_there_are() {
        let (shares, holding) = (Shares::new(2), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _share = shares.take();
                        assert!(holding.fetch_add(1, Ordering::SeqCst) < 2);
                        thread::yield_now();
                        holding.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(*shares.left.lock(), 2);
    }

    #[test]
    fn each_size_is_tried_after_the_one_before() {
        for (size, tried) in [
            (FREE_BYTES_MAX, &[FREE_BYTES_MAX][..]),
            (FREE_BYTES_MAX + 1, &[FREE_BYTES_MAX, LARGE_BYTES_MAX]),
            (LARGE_BYTES_MAX + 1, &[FREE_BYTES_MAX, LARGE_BYTES_MAX, DECOMPRESSED_BYTES_MAX]),
            (DECOMPRESSED_BYTES_MAX + 1, &[FREE_BYTES_MAX, LARGE_BYTES_MAX, DECOMPRESSED_BYTES_MAX]),
        ] {
            let limits = RefCell::new(Vec::new());
            let decompressed = Decompressed::new(|limit| {
                limits.borrow_mut().push(limit);
                match size > limit {
                    true => Err(Error::corrupt(0, Corruption::DecompressedSize { limit })),
                    false => Ok(vec![0; size]),
                }
            });
            assert_eq!(limits.into_inner(), tried, "{size}");
            match decompressed {
                Ok(records) => assert_eq!((records.len(), records._share.is_some()), (size, size > FREE_BYTES_MAX)),
                Err(error) => assert!(size > DECOMPRESSED_BYTES_MAX, "{error}"),
            }
        }
    }
}
