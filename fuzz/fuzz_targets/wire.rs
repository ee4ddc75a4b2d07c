//! Any bytes as what comes over a connection: frames of requests, or the body of a response.
//!
//! Which response a body is, and in which version, only the request says: here, the first two bytes do. What can be
//! read is written again, and read as the same.
#![no_main]

use bytes::Bytes;
use esker::net::messages::{AnyRequest, AnyResponse};
use esker::net::{ApiKey, FrameBuffer, RequestHeader, ResponseHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match data {
        [0, frames @ ..] => requests(frames),
        [api, version, body @ ..] => response(*api, *version, Bytes::copy_from_slice(body)),
        _ => {}
    }
});

fn requests(bytes: &[u8]) {
    let mut frames = FrameBuffer::new(1 << 20);
    frames.extend(bytes);
    while let Ok(Some(mut frame)) = frames.next_frame() {
        let Ok(header) = RequestHeader::decode(&mut frame) else { continue };
        let Ok(request) = AnyRequest::from_bytes(header.api_key, frame, header.api_version) else { continue };
        let mut written = request.to_frame(&header).unwrap().to_bytes().slice(4..);
        assert_eq!(RequestHeader::decode(&mut written).unwrap(), header);
        assert_eq!(AnyRequest::from_bytes(header.api_key, written, header.api_version).unwrap(), request);
    }
}

fn response(api: u8, version: u8, body: Bytes) {
    let Some(api) = ApiKey::from_key(i16::from(api) - 1) else { return };
    let version = i16::from(version);
    let _ = ResponseHeader::decode(&mut body.clone(), api, version);
    let Ok(response) = AnyResponse::from_bytes(api, body, version) else { return };
    let written = response.to_bytes(version).unwrap().to_bytes();
    let again = AnyResponse::from_bytes(api, written.clone(), version).unwrap();
    // Not the values: what isn't a number, which a quota may be, is unlike itself.
    assert_eq!(again.to_bytes(version).unwrap().to_bytes(), written);
}
