//! What this machine can do, measured beside what is done on it: copying bytes with a checksum, and syncing.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

/// For how long bytes are copied.
const COPY_FOR: Duration = Duration::from_millis(200);
/// How much is copied and checksummed at a time: a batch.
const CHUNK_BYTES: usize = 64 << 10;
/// Far more than caches hold, as a log is.
const COPIED_BYTES: usize = 128 << 20;
const SYNCS: usize = 21;
const SYNC_BYTES: usize = 4096;

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Limit {
    /// What a thread copies in batches, with a CRC-32C of each.
    pub(super) copy_and_crc_mb_per_second: f64,
    /// The median of how long a sync of one page takes, where syncs are waited for.
    pub(super) sync_ms: Option<f64>,
}

impl Limit {
    /// Measures; syncs of a file in this directory too, if there is one.
    pub(super) fn measure(syncs_in: Option<&Path>) -> io::Result<Self> {
        let sync_ms = syncs_in.map(sync).transpose()?.map(|sync| sync.as_secs_f64() * 1e3);
        Ok(Self { copy_and_crc_mb_per_second: copy_and_crc(), sync_ms })
    }
}

fn copy_and_crc() -> f64 {
    let (from, mut to) = (vec![b'x'; CHUNK_BYTES], vec![0; COPIED_BYTES]);
    // Faulted in before, as the pages of an active segment are.
    to.fill(1);
    let (start, mut bytes) = (Instant::now(), 0_usize);
    loop {
        for chunk in to.chunks_exact_mut(CHUNK_BYTES) {
            black_box(crc32c::crc32c(black_box(&from)));
            chunk.copy_from_slice(&from);
            bytes += CHUNK_BYTES;
            let took = start.elapsed();
            if took >= COPY_FOR {
                black_box(&to);
                return bytes as f64 / took.as_secs_f64() / f64::from(1 << 20);
            }
        }
    }
}

fn sync(dir: &Path) -> io::Result<Duration> {
    let mut file: File = tempfile::tempfile_in(dir)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[0; SYNC_BYTES])?;
        let start = Instant::now();
        file.sync_data()?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    Ok(took[SYNCS / 2])
}
