//! What strangers may send: reading it neither panics nor takes more memory than its size excuses.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use esker::net::messages::{AnyRequest, AnyResponse};
use esker::net::protocol_error::Malformation;
use esker::net::{ApiKey, FrameBuffer, ProtocolError, RequestHeader, ResponseHeader};

use crate::generate::{self, Direction};
use crate::random::Random;

/// Counts what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn count(freed: usize, allocated: usize) {
    // A thread that is ending has no counters any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get().saturating_sub(freed) + allocated);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: Every call is passed on to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: The caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: The caller keeps the contract of `dealloc`, and `pointer` is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both may be there while one is copied to the other.
        count(0, new_size);
        // SAFETY: The caller keeps the contract of `realloc`, and `pointer` is the system allocator's.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        count(layout.size(), 0);
        moved
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory that was held at once while `work` ran, beyond what was held before.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (PEAK.get() - before, result)
}

/// How many bytes of memory a byte of a message can cost, and a few for those that have hardly any.
const MEMORY_PER_BYTE_MAX: usize = 70;
const MEMORY_MIN: usize = 4096;
/// Reads the bytes as a message. That it isn't one is fine; the memory that this took is not, beyond the limit.
fn read(direction: Direction, api: ApiKey, bytes: &Bytes, version: i16) -> (usize, Result<(), ProtocolError>) {
    let (memory, result) = peak(|| match direction {
        Direction::Request => AnyRequest::from_bytes(api, bytes.clone(), version).map(drop),
        Direction::Response => AnyResponse::from_bytes(api, bytes.clone(), version).map(drop),
    });
    let limit = MEMORY_PER_BYTE_MAX * bytes.len() + MEMORY_MIN;
    assert!(memory <= limit, "{memory} bytes for {} of {direction:?} {api} {version}", bytes.len());
    (memory, result)
}

/// A version of a message, and one of its kind at random.
fn every_version(mut visit: impl FnMut(Direction, ApiKey, i16, Vec<u8>, &mut Random)) {
    let mut random = Random::new(0);
    for &api in ApiKey::ALL {
        for version in api.versions() {
            for direction in Direction::BOTH {
                let schema = direction.schema(api);
                let message = generate::message(schema, version, api.is_flexible(version), &mut random);
                visit(direction, api, version, message, &mut random);
            }
        }
    }
}

#[test]
fn a_message_that_is_cut_off_is_refused() {
    every_version(|direction, api, version, message, _| {
        let message = Bytes::from(message);
        for end in 0..message.len() {
            let (_, result) = read(direction, api, &message.slice(..end), version);
            assert!(
                matches!(result, Err(ProtocolError::Malformed { .. })),
                "{end} of {} bytes of {direction:?} {api} {version}: {result:?}",
                message.len()
            );
        }
    });
}

#[test]
fn damaged_messages_cost_no_more_than_their_size() {
    every_version(|direction, api, version, message, random| {
        if message.is_empty() {
            return;
        }
        for _ in 0..50 {
            let mut damaged = message.clone();
            let at = random.below(damaged.len() as u64) as usize;
            let lies: [&[u8]; 7] = [
                &[0x7f, 0xff, 0xff, 0xff],
                &[0xff, 0xff, 0xff, 0xff],
                &[0xff, 0xff, 0xff, 0xff, 0x0f],
                &[0xff, 0xff, 0xff, 0xff, 0x07],
                &[0x80, 0, 0, 0],
                &[0, 1, 0, 0],
                &[0x7f, 0xff],
            ];
            match random.below(3) {
                0 => damaged[at] ^= 1 << random.below(8),
                1 => drop(damaged.splice(at..(at + 4).min(message.len()), random.pick(&lies).iter().copied())),
                _ => damaged[at..].iter_mut().for_each(|byte| *byte = random.next() as u8),
            }
            let _ = read(direction, api, &damaged.into(), version);
        }
    });
}

#[test]
fn lengths_that_lie_cost_nothing() {
    every_version(|direction, api, version, _, _| {
        for filling in [[0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x07], [0; 4], [1; 4], [2; 4]] {
            let lies: Bytes = filling.iter().copied().cycle().take(16 * 1024).collect();
            let _ = read(direction, api, &lies, version);
        }
    });
}

#[test]
fn nothing_costs_much_more_memory_than_it_has_bytes() {
    let mut worst = (0.0, String::new());
    for &api in ApiKey::ALL {
        for version in api.versions() {
            for direction in Direction::BOTH {
                let schema = direction.schema(api);
                for depth in 1..5 {
                    let bytes = generate::bloated(schema, version, api.is_flexible(version), depth, 1_000);
                    let bytes = Bytes::from(bytes);
                    let (memory, result) = read(direction, api, &bytes, version);
                    result.unwrap();
                    let ratio = memory as f64 / bytes.len() as f64;
                    if bytes.len() > 1_000 && ratio > worst.0 {
                        worst = (ratio, format!("{} version {version}, {depth} deep", schema.name));
                    }
                }
            }
        }
    }
    println!("at worst {:.0} bytes for a byte, in {}", worst.0, worst.1);
    assert!(worst.0 > 10.0, "messages were made at all");
}

#[test]
fn arrays_take_so_much_memory_and_no_more() {
    // FindCoordinator 4: a type of key, that many empty keys, and no tagged fields.
    let request = |keys: u64| {
        let mut bytes = vec![0];
        generate::unsigned_varint(keys + 1, &mut bytes);
        bytes.extend(std::iter::repeat_n(1, keys as usize));
        bytes.push(0);
        Bytes::from(bytes)
    };
    let max = 64 * 1024 * 1024;
    let keys_max = (max / size_of::<String>()) as u64;
    let (_, sound) = read(Direction::Request, ApiKey::FindCoordinator, &request(keys_max), 4);
    sound.unwrap();
    let (memory, refused) = read(Direction::Request, ApiKey::FindCoordinator, &request(keys_max + 1), 4);
    let reason = Malformation::ArrayBytes { max };
    assert!(matches!(&refused, Err(ProtocolError::Malformed { reason: found, .. }) if *found == reason), "{refused:?}");
    assert!(memory < 1000, "{memory} bytes");
}

#[test]
fn any_bytes_can_come_in_the_place_of_a_header_or_a_frame() {
    let mut random = Random::new(1);
    for _ in 0..20_000 {
        let length = random.below(40) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        if let [high, low, ..] = &mut *bytes {
            (*high, *low) = (0, *low % 80);
        }
        let bytes = Bytes::from(bytes);
        let _ = RequestHeader::decode(&mut bytes.clone());
        for api in [ApiKey::ApiVersions, ApiKey::Fetch] {
            let _ = ResponseHeader::decode(&mut bytes.clone(), api, 12);
        }
        let mut frames = FrameBuffer::new(100);
        frames.extend(&bytes);
        while let Ok(Some(frame)) = frames.next_frame() {
            assert!(frame.len() <= 100);
        }
    }
}

#[test]
fn a_frame_takes_room_as_its_bytes_come() {
    let mut frames = FrameBuffer::new(100 << 20);
    let (memory, frame) = peak(|| {
        frames.extend(&(100_i32 << 20).to_be_bytes());
        frames.extend(&[0; 1000]);
        frames.next_frame()
    });
    assert_eq!(frame, Ok(None));
    assert!(memory < 10_000, "{memory} bytes for 1,004");
}
