//! What is kept of passwords, in place of them: `StoredKey` and `ServerKey` of RFC 5802, section 3.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq;

use crate::config::{ScramMechanism, invalid};
use crate::error::Result;
use crate::net::security::sasl::hash::{random, readable};
use crate::store::{ScramCredential, ScramUsers};

/// How often a password is hashed at least and at most, as in Kafka. Fewer are too cheap to guess; what more of them
/// cost is for the clients, of which not all would go on.
pub(in crate::server) const ITERATIONS_MIN: u32 = 4096;
pub(in crate::server) const ITERATIONS_MAX: u32 = 16_384;

/// As long as those of Kafka's tools, and in their alphabet.
const SALT_CHARS: usize = 26;

impl ScramCredential {
    /// What is to be kept of a password, which itself is not, with a salt of its own.
    ///
    /// ```
    /// use esker::server::{ScramCredential, ScramMechanism};
    ///
    /// let store = esker::Store::temporary()?;
    /// let credential = ScramCredential::new(ScramMechanism::Sha256, "correct horse", 8192)?;
    /// store.put_scram_credential("alice", ScramMechanism::Sha256, credential)?;
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if the password is empty, or the iterations are not from
    /// 4096 to 16384; [`Error::Io`](crate::Error::Io) if the system has no randomness.
    pub fn new(mechanism: ScramMechanism, password: &str, iterations: u32) -> Result<Self> {
        if password.is_empty() {
            return Err(invalid("password", "", "one that isn't empty"));
        }
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            let expected = format!("a number from {ITERATIONS_MIN} to {ITERATIONS_MAX}");
            return Err(invalid("iterations", &iterations.to_string(), expected));
        }
        let salt = readable(&random::<SALT_CHARS>()?);
        let salted = mechanism.salted_password(password.as_bytes(), &salt, iterations);
        Ok(Self::from_salted_password(mechanism, &salted, salt, iterations))
    }

    pub(in crate::server) fn from_salted_password(
        mechanism: ScramMechanism,
        salted_password: &[u8],
        salt: Vec<u8>,
        iterations: u32,
    ) -> Self {
        let client_key = mechanism.hmac(salted_password, b"Client Key");
        let stored_key = mechanism.hash(&client_key);
        Self { salt, iterations, stored_key, server_key: mechanism.hmac(salted_password, b"Server Key") }
    }

    /// One that no password has, always the same for a user and a mechanism: who asks for the salt of a user that isn't
    /// there among `users` is told one that he can't tell from any other.
    pub(super) fn fake(mechanism: ScramMechanism, user: &str, users: &ScramUsers, secret: &[u8]) -> Self {
        let noise = ScramMechanism::Sha512.hmac(secret, format!("{} {user}", mechanism.name()).as_bytes());
        let salt = readable(&noise[..SALT_CHARS]);
        let iterations = usual_iterations(mechanism, users);
        Self { salt, iterations, stored_key: mechanism.hash(&noise), server_key: noise }
    }

    /// Whether this is made of the password. Takes as long whether it is or not.
    pub(super) fn is_of(&self, mechanism: ScramMechanism, password: &str) -> bool {
        let salted = mechanism.salted_password(password.as_bytes(), &self.salt, self.iterations);
        let other = Self::from_salted_password(mechanism, &salted, self.salt.clone(), self.iterations);
        other.stored_key.ct_eq(&self.stored_key).into()
    }
}

/// As many as most users have.
fn usual_iterations(mechanism: ScramMechanism, users: &ScramUsers) -> u32 {
    let mut counts = BTreeMap::new();
    for credential in users.values().filter_map(|of_user| of_user.get(&mechanism)) {
        *counts.entry(credential.iterations).or_insert(0) += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or(ITERATIONS_MIN, |(iterations, _)| iterations)
}

#[cfg(test)]
impl ScramCredential {
    /// That of another password, with the same salt.
    pub(super) fn with_password(self, mechanism: ScramMechanism, password: &str) -> Self {
        let salted = mechanism.salted_password(password.as_bytes(), &self.salt, self.iterations);
        Self::from_salted_password(mechanism, &salted, self.salt, self.iterations)
    }
}
