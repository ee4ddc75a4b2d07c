//! Memory maps: the one module with unsafe code.
//!
//! A file that grows is one shared mapping of its whole capacity (address space is free) over a file that is extended
//! in steps by reserving real space, so that a full disk is an error and never a signal. Pages are populated ahead
//! of the writer: appending is then a copy, without a page fault or a system call for each batch.
//!
//! That is for a file that is written back now and then. Where each few appends are synced, a sync would write the
//! populated pages too, and protect all it wrote, so that the next copy faults: there more than a few bytes go by a
//! system call, and readers find them in the same pages. Space that is reserved and was never written costs each sync
//! that writes to it first an entry in the file system's journal, which takes as long as the bytes do: so zeros are
//! written ahead, for one entry in place of many.
//!
//! Large appends go by system calls always: a page that is populated is filled with zeros before it is written over,
//! and from some size on those cost more than a call does.
//!
//! ```text
//!   0 .. len         appended: readable by everyone, never written again
//!   len .. populated pages are there, waiting for the writer
//!   .. reserved      space on the device is ours
//!   .. capacity      address space only; touching it would be a SIGBUS
//! ```
//!
//! What makes it sound, in one place: only [`MappedAppend`] writes, through `&mut self`, at or after `len`; readers
//! are handed slices below `len` only; `len` grows with a release store after the bytes are in place; no file is cut
//! below its `len` while a map of it lives. That last point holds against other programs by contract: see
//! [`FsStorage`](super::FsStorage).

use std::borrow::Borrow;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};

use super::fs::{allocate, check_capacity, write_parts_at, write_zeros_at};
use super::{AppendFile, StorageFile};

const PAGE_BYTES: u64 = 4096;
/// Populating goes in small steps, none of which keeps an append for long; for a writer who is back soon they double,
/// up to where more brings nothing.
const POPULATE_BYTES_MIN: u64 = 16 << 10;
const POPULATE_BYTES_MAX: u64 = 1 << 20;
const POPULATED_SOON: Duration = Duration::from_millis(2);
/// How far ahead of a writer in a hurry somebody else populates.
const POPULATE_AHEAD_BYTES: u64 = 8 << 20;
/// How far ahead of a small append cache lines are asked for.
const PREFETCH_AHEAD_BYTES: u64 = 1024;
const POPULATE_STEP_BYTES: u64 = 1024 << 10;
/// While the last sync is no further back than this, appends from this size on are system calls: several smaller ones
/// share a page, and with it the fault.
const SYNCED_LATELY_BYTES: u64 = 1 << 20;
const WRITE_BYTES_MIN: u64 = 1024;
/// Appends beyond this size are always system calls.
const SMALL_APPEND_BYTES_MAX: u64 = 128 << 10;
/// Zeros are written ahead of smaller ones, as many as have been appended by calls, within limits.
const ZERO_BYTES_MIN: u64 = 64 << 10;
const ZERO_BYTES_MAX: u64 = 1 << 20;
/// Reserving starts with a page or few, and goes on in steps that grow with the log, so that it never holds much more
/// space than it uses. The steps are few: each may have to wait for the file system.
const RESERVE_BYTES_MIN: u64 = 64 << 10;
const RESERVE_BYTES_MAX: u64 = 64 << 20;

/// A mapped file as its readers have it.
#[derive(Clone, Debug)]
pub(super) struct MappedFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    /// None for an empty file that does not grow: there is nothing to map.
    map: Option<Arc<MmapRaw>>,
    /// How many bytes have been appended. Everything below is constant.
    len: AtomicU64,
    /// How many bytes the file has on the device. Only the writer changes it.
    reserved: AtomicU64,
    /// How many bytes need no page fault any more; `u64::MAX` where the kernel can't populate. Only a hint: pages may
    /// come in twice, and go out again.
    populated: AtomicU64,
    /// How long the file was when it was last synced; `u64::MAX` before that. Only a hint.
    synced: AtomicU64,
}

impl Shared {
    fn new(file: File, map: Option<MmapRaw>, len: u64) -> Self {
        let (reserved, populated) = (AtomicU64::new(len), AtomicU64::new(len / PAGE_BYTES * PAGE_BYTES));
        let synced = AtomicU64::new(u64::MAX);
        Self { file, map: map.map(Arc::new), len: AtomicU64::new(len), reserved, populated, synced }
    }

    /// Whether the file is synced each few appends, as it seems at `len`.
    fn is_synced_often(&self, len: u64) -> bool {
        let synced = self.synced.load(Ordering::Relaxed);
        len.checked_sub(synced).is_some_and(|since| since < SYNCED_LATELY_BYTES)
    }

    /// Brings in the pages from where that was last done up to `end`, as far as space is reserved.
    fn populate(&self, end: u64) -> io::Result<()> {
        let start = self.populated.load(Ordering::Relaxed);
        let end = end.next_multiple_of(PAGE_BYTES).min(self.reserved.load(Ordering::Acquire));
        let Some(map) = self.map.as_ref().filter(|_| start < end) else { return Ok(()) };
        #[cfg(target_os = "linux")]
        match map.advise_range(memmap2::Advice::PopulateWrite, start as usize, (end - start) as usize) {
            // Whole pages only: the last one may be shared with what is not reserved yet.
            Ok(()) => drop(self.populated.fetch_max(end / PAGE_BYTES * PAGE_BYTES, Ordering::Relaxed)),
            // Kernels before 5.14: the writer takes the faults.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.populated.store(u64::MAX, Ordering::Relaxed);
            }
            // A page that can't be had is an error here, and would be a signal later.
            Err(error) => return Err(error),
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = map;
            self.populated.store(u64::MAX, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The bytes `position .. position + len`, if they have been appended. None if there is no map that they could be
    /// in, and so no bytes.
    fn view(&self, position: u64, len: usize) -> io::Result<Option<View<&Arc<MmapRaw>>>> {
        let end = position.checked_add(len as u64);
        if end.is_none_or(|end| end > self.len.load(Ordering::Acquire)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.map.as_ref().map(|map| View { map, position: position as usize, len }))
    }
}

impl MappedFile {
    /// Maps the whole of a file that no longer grows.
    pub(super) fn open(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let map = match len {
            0 => None,
            _ => Some(MmapOptions::new().len(len as usize).map_raw_read_only(&file)?),
        };
        Ok(Self { shared: Arc::new(Shared::new(file, map, len)) })
    }
}

impl StorageFile for MappedFile {
    fn len(&self) -> u64 {
        self.shared.len.load(Ordering::Acquire)
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        if let Some(view) = self.shared.view(position, buffer.len())? {
            buffer.copy_from_slice(view.as_ref());
        }
        Ok(())
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        let kept = |View { map, position, len }: View<&Arc<MmapRaw>>| View { map: map.clone(), position, len };
        Ok(self.shared.view(position, len)?.map(kept).map(Bytes::from_owner).unwrap_or_default())
    }

    fn is_viewed_in_place(&self) -> bool {
        true
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.shared.file.as_fd())
    }

    fn populate_ahead(&self) {
        let mut populated = self.shared.populated.load(Ordering::Relaxed);
        // A writer with nothing populated appends by calls, or has not begun.
        if populated <= self.len() || self.shared.is_synced_often(self.len()) {
            return;
        }
        // In steps, so that a writer who comes up behind goes on where this is. A page that can't be had is for the
        // writer to find, who can say so.
        let target = (self.len() + POPULATE_AHEAD_BYTES).min(self.shared.reserved.load(Ordering::Acquire));
        while populated < target && self.shared.populate(populated + POPULATE_STEP_BYTES).is_ok() {
            let before = std::mem::replace(&mut populated, self.shared.populated.load(Ordering::Relaxed));
            if populated == before {
                break;
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        // On Linux syncing the file covers what was written through its maps. Elsewhere that takes an msync first.
        #[cfg(not(target_os = "linux"))]
        if let Some(map) = &self.shared.map {
            map.flush_range(0, self.len() as usize)?;
        }
        self.shared.synced.store(self.len(), Ordering::Relaxed);
        self.shared.file.sync_data()
    }
}

/// A range of a map, which is kept alive without the file's handle.
struct View<M> {
    map: M,
    position: usize,
    len: usize,
}

impl<M: Borrow<Arc<MmapRaw>>> AsRef<[u8]> for View<M> {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `Shared::view`, which alone makes these, has seen that `position + len` is at most the file's `len`,
        // which never exceeds the map (`MappedAppend::append` and `MappedFile::open` see to that) and never comes down.
        // So the range lies in the mapping, which `self` keeps alive. Nobody writes below `len`: the one writer copies
        // at or after it, and the acquire load over there orders its copy before us.
        unsafe { std::slice::from_raw_parts(self.map.borrow().as_ptr().add(self.position), self.len) }
    }
}

/// The writer of a mapped file.
#[derive(Debug)]
pub(super) struct MappedAppend {
    shared: Arc<Shared>,
    capacity: u64,
    /// How many bytes were appended by system calls.
    written: u64,
    /// Up to where zeros have been written ahead of them.
    zeroed: u64,
    populate_step: u64,
    populated_last: Option<Instant>,
}

impl MappedAppend {
    /// Goes on after the first `len` bytes of `file`, which is `len` bytes long.
    pub(super) fn new(file: File, len: u64, capacity: u64) -> io::Result<Self> {
        check_capacity(len, 0, capacity)?;
        let map = MmapOptions::new().len(capacity as usize).map_raw(&file)?;
        let shared = Arc::new(Shared::new(file, Some(map), len));
        Ok(Self { shared, capacity, written: 0, zeroed: 0, populate_step: POPULATE_BYTES_MIN, populated_last: None })
    }

    fn len(&self) -> u64 {
        self.shared.len.load(Ordering::Relaxed) // this is the only writer
    }

    fn reserved(&self) -> u64 {
        self.shared.reserved.load(Ordering::Relaxed) // likewise
    }

    /// Whether so many bytes are appended by a system call.
    #[inline]
    fn goes_by_call(&self, additional: u64) -> bool {
        additional > SMALL_APPEND_BYTES_MAX || additional >= WRITE_BYTES_MIN && self.shared.is_synced_often(self.len())
    }

    fn map(&self) -> &MmapRaw {
        self.shared.map.as_ref().expect("a file that grows is always mapped")
    }

    /// Sees to it that `additional` bytes after `len` have space and pages.
    #[cold]
    fn make_room(&mut self, additional: u64) -> io::Result<()> {
        self.reserve(additional)?;
        let populated = self.shared.populated.load(Ordering::Relaxed);
        let end = self.len() + additional;
        if end <= populated {
            return Ok(());
        }
        let now = Instant::now();
        let is_soon = self.populated_last.replace(now).is_some_and(|last| now.duration_since(last) < POPULATED_SOON);
        let wanted = if is_soon && !self.shared.is_synced_often(self.len()) {
            self.populate_step * 2
        } else {
            POPULATE_BYTES_MIN
        };
        self.populate_step = wanted.min(POPULATE_BYTES_MAX);
        self.shared.populate(end.max(populated + self.populate_step))
    }

    /// Appends without touching the map. Bytes that an error leaves beyond the end are overwritten, or cut off.
    #[cold]
    fn write(&mut self, parts: &[&[u8]], total: u64) -> io::Result<()> {
        self.reserve(total)?;
        if !self.is_zeroed_for(total) {
            self.write_zeros(self.len() + total);
        }
        let end = write_parts_at(&self.shared.file, self.len(), parts)?;
        self.written += total;
        self.shared.populated.fetch_max(end / PAGE_BYTES * PAGE_BYTES, Ordering::Relaxed);
        self.shared.len.store(end, Ordering::Release);
        Ok(())
    }

    /// Whether an append by a system call needs no zeros to be written first.
    fn is_zeroed_for(&self, additional: u64) -> bool {
        additional > SMALL_APPEND_BYTES_MAX || self.len() + additional <= self.zeroed
    }

    /// Writes zeros from `end` on, as far as space is reserved. What goes wrong with that, the append that goes there
    /// will say.
    fn write_zeros(&mut self, end: u64) {
        let start = end.next_multiple_of(PAGE_BYTES);
        let wanted = start + self.written.clamp(ZERO_BYTES_MIN, ZERO_BYTES_MAX) / PAGE_BYTES * PAGE_BYTES;
        self.zeroed = wanted.min(self.reserved()).max(end);
        let _ = write_zeros_at(&self.shared.file, start, self.zeroed.saturating_sub(start));
    }
}

impl AppendFile for MappedAppend {
    fn file(&self) -> Arc<dyn StorageFile> {
        Arc::new(MappedFile { shared: self.shared.clone() })
    }

    fn reserve(&mut self, additional: u64) -> io::Result<()> {
        let (len, reserved) = (self.len(), self.reserved());
        check_capacity(len, additional, self.capacity)?;
        let needed = len + additional;
        if needed <= reserved {
            return Ok(());
        }
        let step_min = (self.capacity / 1024).next_multiple_of(PAGE_BYTES).min(POPULATE_BYTES_MAX);
        let step = match reserved {
            0 => step_min,
            _ => (reserved * 3).clamp(RESERVE_BYTES_MIN.max(step_min), RESERVE_BYTES_MAX),
        };
        let wanted = needed.max(reserved + step).next_multiple_of(PAGE_BYTES).min(self.capacity);
        let got = match allocate(&self.shared.file, reserved, wanted) {
            Ok(()) => wanted,
            // Near the end of the device's space, or of what one may have of it, every page counts.
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                allocate(&self.shared.file, reserved, needed)?;
                needed
            }
            Err(error) => return Err(error),
        };
        // Released, so that whoever populates sees the file long enough.
        self.shared.reserved.store(got, Ordering::Release);
        Ok(())
    }

    fn appends_at_once(&self, additional: u64) -> bool {
        let end = self.len().saturating_add(additional);
        let is_ready = || match self.goes_by_call(additional) {
            true => self.is_zeroed_for(additional),
            false => end <= self.shared.populated.load(Ordering::Relaxed),
        };
        end <= self.reserved() && is_ready()
    }

    #[inline]
    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut end = self.len();
        let total: u64 = parts.iter().map(|part| part.len() as u64).sum();
        if self.goes_by_call(total) {
            return self.write(parts, total);
        }
        let room = self.reserved().min(self.shared.populated.load(Ordering::Relaxed));
        if end + total > room {
            self.make_room(total)?;
        }
        for part in parts {
            // SAFETY: `end + part.len()` is at most `reserved`, which is at most `capacity`, the map's length, and
            // the file has that many bytes, so every page is backed. `&mut self` makes this the only writer, and
            // readers see nothing at or after `len`, which is stored below, after the copy.
            unsafe {
                let to = self.map().as_mut_ptr().add(end as usize);
                std::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len());
            }
            end += part.len() as u64;
        }
        self.shared.len.store(end, Ordering::Release);
        if total <= PREFETCH_AHEAD_BYTES {
            prefetch_for_writing(self.map(), end, total);
        }
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        let len = self.len();
        // Nobody populates beyond the end from now on, and readers never see beyond `len`, so no live slice loses its
        // pages.
        self.shared.reserved.store(len, Ordering::Release);
        self.shared.file.set_len(len)?;
        self.shared.populated.fetch_min(len / PAGE_BYTES * PAGE_BYTES, Ordering::Relaxed);
        Ok(())
    }
}

/// Asks for the cache lines that the appends after `end` will write, as many as the last one, which had `len` bytes,
/// went on by.
///
/// Locks between appends wait until what was written before them is in the cache. Pages that another thread has
/// populated are not: without this a small append spends half of its time waiting for them.
#[inline]
fn prefetch_for_writing(map: &MmapRaw, end: u64, len: u64) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        const LINE_BYTES: u64 = 64;
        let mut line = (end - len + PREFETCH_AHEAD_BYTES).next_multiple_of(LINE_BYTES);
        while line < end + PREFETCH_AHEAD_BYTES {
            // SAFETY: a prefetch reads and writes nothing and never faults, wherever it points; the address is not
            // dereferenced, and wrapping arithmetic on a pointer is not undefined.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(map.as_ptr().wrapping_add(line as usize).cast()) };
            line += LINE_BYTES;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (map, end, len);
}
