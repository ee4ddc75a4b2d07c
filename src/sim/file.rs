//! One file of the simulated disk: what the kernel shows, and what the device has of it.
//!
//! Invariants, with `end = contents.len()`:
//! - bytes of pages outside `dirty` are on the device as `device` has them, whatever the kernel shows;
//! - a page in `dirty` is on the device either as `device` has it or as `contents` has it, sector by sector;
//! - behind its end `device` is zeros, and so are `contents`;
//! - the length on the device is one of `device_len`;
//! - `end <= dirty.end`, and beyond `end` if something was cut off.

use std::ops::{Range, RangeInclusive};

use super::random::{Keep, Random};
use crate::io::memory::contents::Contents;

/// The unit in which the kernel writes back.
const PAGE_BYTES: u64 = 4096;
/// The unit that a device writes whole or not at all.
const SECTOR_BYTES: u64 = 512;
const PAGE_SECTORS: u64 = PAGE_BYTES / SECTOR_BYTES;
/// A page is kept as a set of its sectors, one bit each.
type Sectors = u8;
const _: () = assert!(PAGE_SECTORS == Sectors::BITS as u64);

#[derive(Clone, Debug)]
pub(super) struct SimFile {
    pub(super) contents: Contents,
    pub(super) modified_ms: i64,
    /// How many handles there are: a file without a name lives on while it is open.
    pub(super) opens: u32,
    /// The number of the writer that may append; the ones before it have been replaced.
    pub(super) writer: u64,
    device: Vec<u8>,
    /// The bytes that were written or cut off since the last sync, successful or not. Their whole pages are dirty.
    dirty: Range<u64>,
    device_len: RangeInclusive<u64>,
}

impl SimFile {
    /// A new, empty file.
    pub(super) fn new(now_ms: i64) -> Self {
        Self::durable(Vec::new(), now_ms)
    }

    /// A file that lies on the device as it is.
    pub(super) fn durable(device: Vec<u8>, modified_ms: i64) -> Self {
        let len = device.len() as u64;
        let contents = Contents::from(device.clone());
        Self { contents, modified_ms, opens: 0, writer: 0, device, dirty: len..len, device_len: len..=len }
    }

    pub(super) fn append(&mut self, parts: &[&[u8]], now_ms: i64) {
        let start = self.contents.len();
        self.contents.append(parts);
        self.modified_ms = now_ms;
        self.written_from(start);
    }

    /// What a crash in the middle of an append leaves: any of the sectors; behind what is reserved, any length.
    pub(super) fn append_torn(&mut self, parts: &[&[u8]], now_ms: i64, random: &mut Random) {
        let (start, size) = (self.contents.len(), self.contents.size());
        let mut bytes = parts.concat();
        for sector in sectors(start..start + bytes.len() as u64) {
            if random.coin() {
                bytes[(sector.start - start) as usize..(sector.end - start) as usize].fill(0);
            }
        }
        let len = (bytes.len() as u64).min((size - start) + random.below(bytes.len() as u64 + 1));
        self.append(&[&bytes[..len as usize]], now_ms);
    }

    pub(super) fn reserve(&mut self, additional: u64) {
        self.contents.reserve(additional);
        self.widen_device_len();
    }

    /// Gives back what is reserved. The device may have it until the next sync.
    pub(super) fn seal(&mut self) {
        self.contents.release();
    }

    /// Makes the file `len` bytes long. The device may have it as it was until the next sync.
    pub(super) fn set_len(&mut self, len: u64, random: &mut Random) {
        // What is cut off while it is dirty may have been written back before. Deciding that now keeps it to two
        // versions of a page, the old and the new.
        let mut device = std::mem::take(&mut self.device);
        self.write_back(&mut device, random);
        self.device = device;

        let end = self.contents.len();
        self.contents.set_len(len);
        self.written_from(len.min(end));
        self.device_len = len.min(*self.device_len.start())..=*self.device_len.end();
    }

    /// Makes what the kernel shows durable.
    pub(super) fn sync(&mut self) {
        let mut device = std::mem::take(&mut self.device);
        for page in self.dirty_pages() {
            self.write_page(&mut device, page, Sectors::MAX);
        }
        device.truncate(self.contents.len() as usize);
        self.device = device;
        self.device_len = self.contents.len()..=self.contents.size();
        self.mark_clean();
    }

    /// What a failed sync leaves: each dirty page is written or dropped, and either way the kernel takes it for clean,
    /// so that no later sync writes it.
    pub(super) fn sync_failed(&mut self, random: &mut Random) {
        let mut device = std::mem::take(&mut self.device);
        self.write_back(&mut device, random);
        self.device = device;
        self.mark_clean();
    }

    /// The file once the process that had it open is gone.
    pub(super) fn after_process_death(&self) -> Self {
        Self { opens: 0, ..self.clone() }
    }

    /// What the device has of the file after the loss of power.
    pub(super) fn after_power_loss(&self, random: &mut Random) -> Vec<u8> {
        let mut image = self.device.clone();
        self.write_back(&mut image, random);
        image.resize(self.choose_len(random) as usize, 0);
        image
    }

    /// Damages the file where it lies, and what the kernel has of it. Views of it stay as they are.
    pub(super) fn flip_bit(&mut self, position: u64, bit: u8) {
        let (len, size) = (self.contents.len(), self.contents.size());
        let mut bytes = self.contents.to_vec();
        bytes.truncate(len.max(position + 1) as usize);
        bytes[position as usize] ^= 1 << bit;
        self.contents = Contents::from(bytes);
        self.contents.reserve(size - self.contents.len());
        if self.device.len() as u64 <= position && !self.dirty_pages().contains(&(position / PAGE_BYTES)) {
            self.device.resize(position as usize + 1, 0);
        }
        if let Some(byte) = self.device.get_mut(position as usize) {
            *byte ^= 1 << bit;
        }
    }

    fn written_from(&mut self, start: u64) {
        let dirty_from = if self.dirty.is_empty() { start } else { start.min(self.dirty.start) };
        self.dirty = dirty_from..self.contents.len().max(self.dirty.end);
        self.widen_device_len();
    }

    fn mark_clean(&mut self) {
        self.dirty = self.contents.len()..self.contents.len();
    }

    fn widen_device_len(&mut self) {
        self.device_len = *self.device_len.start()..=self.contents.size().max(*self.device_len.end());
    }

    /// Writes any of the dirty pages to `device`: each whole, not at all, or some of its sectors.
    fn write_back(&self, device: &mut Vec<u8>, random: &mut Random) {
        let keep = Keep::choose(random);
        for page in self.dirty_pages() {
            let kept = match keep {
                Keep::All => Sectors::MAX,
                Keep::None => 0,
                Keep::Some => match random.below(3) {
                    0 => Sectors::MAX,
                    1 => 0,
                    _ => random.next() as Sectors,
                },
            };
            self.write_page(device, page, kept);
        }
    }

    fn write_page(&self, device: &mut Vec<u8>, page: u64, kept: Sectors) {
        let start = page * PAGE_BYTES;
        let range = start..(start + PAGE_BYTES).min(self.dirty.end);
        if kept == Sectors::MAX {
            return self.write_range(device, range);
        }
        for (index, sector) in sectors(range).enumerate() {
            if kept >> index & 1 == 1 {
                self.write_range(device, sector);
            }
        }
    }

    fn write_range(&self, device: &mut Vec<u8>, range: Range<u64>) {
        let (start, end) = (range.start as usize, range.end as usize);
        if device.len() < end {
            device.resize(end, 0);
        }
        self.contents.copy_to(range.start, &mut device[start..end]);
    }

    fn dirty_pages(&self) -> Range<u64> {
        if self.dirty.is_empty() {
            return 0..0;
        }
        self.dirty.start / PAGE_BYTES..self.dirty.end.div_ceil(PAGE_BYTES)
    }

    /// A length that the device may have: the certain one, the longest, the end of what was appended, or any other.
    fn choose_len(&self, random: &mut Random) -> u64 {
        let (min, max) = (*self.device_len.start(), *self.device_len.end());
        match random.below(4) {
            0 => min,
            1 => max,
            2 => self.contents.len().clamp(min, max),
            _ => min + random.below(max - min + 1),
        }
    }
}

/// The parts of `range` that lie in one sector each.
fn sectors(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let indexes = range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES);
    indexes.map(move |index| (index * SECTOR_BYTES).max(range.start)..((index + 1) * SECTOR_BYTES).min(range.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_falls_into_the_parts_that_lie_in_one_sector() {
        let parts: Vec<_> = sectors(500..1100).collect();
        assert_eq!(parts, [500..512, 512..1024, 1024..1100]);
        assert_eq!(sectors(512..512).count(), 0);
    }

    #[test]
    fn a_page_that_was_cut_and_written_again_is_the_old_or_the_new_one_sector_by_sector() {
        let mut file = SimFile::durable(vec![b'o'; 8192], 0);
        let mut random = Random::new(1);
        file.set_len(0, &mut random);
        file.append(&[&[b'n'; 6000]], 0);
        let (mut old, mut new, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let image = file.after_power_loss(&mut Random::new(seed));
            for sector in image.chunks(SECTOR_BYTES as usize) {
                let is_whole = |byte| sector.iter().all(|b| *b == byte);
                // The sector that holds the new end has zeros or old bytes behind it.
                assert!(is_whole(b'o') || is_whole(b'n') || is_whole(0) || sector.contains(&b'n'));
            }
            match (image.contains(&b'o'), image.contains(&b'n')) {
                (true, false) => old += 1,
                (false, true) => new += 1,
                (true, true) => torn += 1,
                (false, false) => {}
            }
        }
        assert!(old > 0 && new > 0 && torn > 0, "{old} old, {new} new, {torn} torn");
        file.sync();
        let synced = file.after_power_loss(&mut random);
        assert_eq!(synced, [b'n'; 6000]);
    }
}
