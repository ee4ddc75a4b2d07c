//! The users that may log in to a server of this directory: `scram-credentials-checkpoint` (feature `sasl`).
//!
//! ```text
//!   0
//!   1
//!   alice SCRAM-SHA-256 4096 c2FsdA== wHM… 2Kx…    user, mechanism, iterations, salt, StoredKey, ServerKey
//! ```
//!
//! A file of ours, in the form of Kafka's checkpoints; Kafka keeps the same in its metadata log, and passes over the
//! file. There is no password in it, nor anything to log in with. But whoever reads it can try passwords in his own
//! time, and pretend to a user to be this server: it wants to be kept like the rest of the directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;

use super::layout::{Layout, SCRAM_CREDENTIALS};
use super::{Store, StoreInner};
use crate::config::ScramMechanism;
use crate::error::{Error, Result};
use crate::log::checkpoint::{self, escape, unescape};

/// The longest name of a user, in bytes, and the longest salt.
pub(crate) const USER_BYTES_MAX: usize = 1024;

/// What is known of a user's password: enough to see whether somebody knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    pub(crate) stored_key: Vec<u8>,
    pub(crate) server_key: Vec<u8>,
}

impl ScramCredential {
    /// How often the password was hashed, which is what each try of a guess costs.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl std::fmt::Debug for ScramCredential {
    /// Without what is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramCredential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// The credentials by user, and of each by mechanism.
pub(crate) type ScramUsers = BTreeMap<String, BTreeMap<ScramMechanism, ScramCredential>>;

/// The credentials as they are in the file, once that was read.
#[derive(Debug, Default)]
pub(super) struct ScramCredentials {
    users: Mutex<Option<Arc<ScramUsers>>>,
}

/// A credential to be set, or to be removed.
pub(crate) type ScramAlteration = (String, ScramMechanism, Option<ScramCredential>);

impl Store {
    /// The users that can log in to a server of this store, by SCRAM or PLAIN, with what is known of their passwords
    /// (Kafka's `DescribeUserScramCredentials`).
    ///
    /// # Errors
    /// [`Error::MalformedFile`], [`Error::Io`].
    pub fn scram_credentials(&self) -> Result<Vec<(String, ScramMechanism, ScramCredential)>> {
        let users = self.scram_users()?;
        let of_user = |(user, credentials): (&String, &BTreeMap<ScramMechanism, ScramCredential>)| {
            let one = |(mechanism, credential): (&_, &ScramCredential)| (user.clone(), *mechanism, credential.clone());
            credentials.iter().map(one).collect::<Vec<_>>()
        };
        Ok(users.iter().flat_map(of_user).collect())
    }

    /// Lets a user log in by one mechanism, with the password that `credential` was made of. Another password counts no
    /// more. Durable on return; connections that have logged in stay.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the name is empty or too long; [`Error::ReadOnly`], [`Error::Closed`],
    /// [`Error::Io`], [`Error::StorageFull`].
    pub fn put_scram_credential(
        &self,
        user: &str,
        mechanism: ScramMechanism,
        credential: ScramCredential,
    ) -> Result<()> {
        if user.is_empty() || user.len() > USER_BYTES_MAX {
            let expected = format!("a name of 1 to {USER_BYTES_MAX} bytes");
            return Err(crate::config::invalid("user", user, expected));
        }
        self.alter_scram_credentials(vec![(user.to_owned(), mechanism, Some(credential))])
    }

    /// Lets a user log in by a mechanism no more, and tells whether he could. As durable as
    /// [`put_scram_credential`](Self::put_scram_credential).
    ///
    /// # Errors
    /// As there.
    pub fn remove_scram_credential(&self, user: &str, mechanism: ScramMechanism) -> Result<bool> {
        let was_there = self.scram_users()?.get(user).is_some_and(|of_user| of_user.contains_key(&mechanism));
        if was_there {
            self.alter_scram_credentials(vec![(user.to_owned(), mechanism, None)])?;
        }
        Ok(was_there)
    }

    /// All users.
    pub(crate) fn scram_users(&self) -> Result<Arc<ScramUsers>> {
        self.inner.scram_credentials.users(&self.inner)
    }

    /// Alters credentials, all or none.
    pub(crate) fn alter_scram_credentials(&self, alterations: Vec<ScramAlteration>) -> Result<()> {
        let store = &self.inner;
        let _altering = store.altering.lock();
        store.check_writable()?;
        store.scram_credentials.alter(store, alterations)
    }
}

impl ScramCredentials {
    fn users(&self, store: &StoreInner) -> Result<Arc<ScramUsers>> {
        let mut users = self.users.lock();
        match &*users {
            // Another process may be writing the file of a store that is only read.
            Some(users) if !store.is_read_only => Ok(users.clone()),
            _ => {
                let read = Arc::new(read(&store.layout)?);
                *users = Some(read.clone());
                Ok(read)
            }
        }
    }

    fn alter(&self, store: &StoreInner, alterations: Vec<ScramAlteration>) -> Result<()> {
        if alterations.is_empty() {
            return Ok(());
        }
        let mut current = self.users.lock();
        let mut users = match &*current {
            Some(users) => ScramUsers::clone(users),
            None => read(&store.layout)?,
        };
        for (user, mechanism, credential) in alterations {
            let of_user = users.entry(user).or_default();
            match credential {
                Some(credential) => _ = of_user.insert(mechanism, credential),
                None => _ = of_user.remove(&mechanism),
            }
        }
        users.retain(|_, of_user| !of_user.is_empty());
        let (storage, file) = (store.layout.storage(), store.layout.dir.join(SCRAM_CREDENTIALS));
        store.reserve.run(|| checkpoint::write(storage, &file, &entries(&users)))?;
        *current = Some(Arc::new(users));
        Ok(())
    }
}

fn entries(users: &ScramUsers) -> Vec<[String; 6]> {
    let mut entries = Vec::new();
    for (user, credentials) in users {
        for (mechanism, credential) in credentials {
            let ScramCredential { salt, iterations, stored_key, server_key } = credential;
            let [salt, stored_key, server_key] = [salt, stored_key, server_key].map(|bytes| STANDARD.encode(bytes));
            let mechanism = mechanism.name().to_owned();
            entries.push([escape(user), mechanism, iterations.to_string(), salt, stored_key, server_key]);
        }
    }
    entries
}

fn read(layout: &Layout) -> Result<ScramUsers> {
    let file = layout.dir.join(SCRAM_CREDENTIALS);
    let mut users = ScramUsers::new();
    for entry in checkpoint::read::<6>(layout.storage(), &file)? {
        let user = entry[0].clone();
        let (user, mechanism, credential) = parse(&file, entry).ok_or_else(|| Error::MalformedFile {
            file: file.clone(),
            line: 0,
            reason: format!("the entry of {user:?} is no credential"),
        })?;
        users.entry(user).or_default().insert(mechanism, credential);
    }
    Ok(users)
}

fn parse(file: &Path, entry: [String; 6]) -> Option<(String, ScramMechanism, ScramCredential)> {
    let [user, mechanism, iterations, salt, stored_key, server_key] = entry;
    let mechanism = ScramMechanism::ALL.iter().copied().find(|known| known.name() == mechanism)?;
    let bytes = |text: String| STANDARD.decode(text).ok();
    let credential = ScramCredential {
        salt: bytes(salt)?,
        iterations: checkpoint::number(file, &iterations).ok()?,
        stored_key: bytes(stored_key)?,
        server_key: bytes(server_key)?,
    };
    Some((unescape(&user)?, mechanism, credential))
}
