//! Passwords, and what both ends of SCRAM make of them: the functions of RFC 5802, section 3, for both hashes.
//!
//! ```text
//!   SaltedPassword = PBKDF2(password, salt, iterations)
//!   ClientKey      = HMAC(SaltedPassword, "Client Key")
//!   StoredKey      = H(ClientKey)                          kept by the server
//!   ServerKey      = HMAC(SaltedPassword, "Server Key")    kept by the server
//! ```

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

use crate::config::ScramMechanism;
use crate::error::{Error, Result};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";

impl ScramMechanism {
    pub(crate) fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    pub(crate) fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        fn tag<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
            let mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length will do");
            mac.chain_update(data).finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha256 => tag::<Hmac<Sha256>>(key, data),
            Self::Sha512 => tag::<Hmac<Sha512>>(key, data),
        }
    }

    /// What takes time: `iterations` times one HMAC.
    pub(crate) fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut salted = vec![0; self.hash(b"").len()];
        match self {
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted),
        }
        salted
    }
}

/// Bytes from the system's randomness.
pub(crate) fn random<const LEN: usize>() -> Result<[u8; LEN]> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("read", "the system's randomness", std::io::Error::from(error)))?;
    Ok(bytes)
}

/// The bytes as letters and digits, 5 bits of each.
pub(crate) fn readable(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| ALPHABET[usize::from(byte % 32)]).collect()
}
