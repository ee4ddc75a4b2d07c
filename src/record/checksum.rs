//! CRC-32C (Castagnoli), which guards every batch. The only file that names the crate behind it.

/// The CRC-32C of `bytes`.
#[inline]
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    ::crc32c::crc32c(bytes)
}

/// The CRC-32C of some bytes followed by `bytes`, given the CRC of the former.
#[inline]
pub(crate) fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    ::crc32c::crc32c_append(crc, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_3720_hold() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&b""[..], 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (&descending, 0x113f_db5c),
        ] {
            assert_eq!(crc32c(bytes), crc);
        }
    }

    #[test]
    fn it_is_the_bitwise_definition_at_every_length_and_split() {
        let bytes: Vec<u8> = (0..3000u32).map(|i| (i * i) as u8).collect();
        for length in (0..300).chain([1023, 1024, 1025, 2999]) {
            let bytes = &bytes[..length];
            let expected = !bytes.iter().fold(!0u32, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
            });
            let (head, tail) = bytes.split_at(length / 3);
            assert_eq!(crc32c(bytes), expected);
            assert_eq!(crc32c_append(crc32c(head), tail), expected);
        }
    }
}
