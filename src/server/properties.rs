//! What a broker is started with, from all the places where it may stand.

use std::ffi::OsString;
use std::path::Path;

use super::security::Access;
use crate::config::{ServerProperties, invalid};
use crate::error::{Error, Result};
use crate::io::{FsStorage, Storage};

impl ServerProperties {
    /// What a broker's command line says: `file`, in the form of Kafka's `server.properties`, if there is one, the
    /// variables of the environment, as Kafka's container images have them, and `overrides`. What comes later in this
    /// list counts.
    ///
    /// ```
    /// use esker::server::ServerProperties;
    ///
    /// let overrides = [("num.partitions".to_owned(), "4".to_owned())];
    /// let properties = ServerProperties::load(None, std::env::vars_os(), overrides)?;
    /// assert_eq!(properties.server.num_partitions, 4);
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file can't be read, [`Error::InvalidConfig`] for a value that isn't valid.
    pub fn load<N, V>(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (N, V)>,
        overrides: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut properties = Self::new();
        if let Some(path) = file {
            let cannot = |error| Error::io("read", path, error);
            let text = String::from_utf8(FsStorage::new().read(path).map_err(cannot)?);
            properties
                .read(&text.map_err(|error| cannot(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?)?;
        }
        properties.read_env(environment)?;
        overrides.into_iter().try_for_each(|(key, value)| properties.set(&key, &value))?;
        Ok(properties)
    }
    /// Whether there can be such a broker, as far as shows before its directory is opened and its addresses are bound:
    /// that values go together, and that each listener has the protocol, the keys and the certificates that it needs.
    /// Their files are read.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] names the config, [`Error::Io`] the file that can't be read.
    pub fn check(&self) -> Result<()> {
        self.store.validate()?;
        self.server.validate()?;
        if self.server.listeners.is_empty() {
            return Err(nowhere_to_listen());
        }
        self.server.listeners.iter().try_for_each(|listener| Access::check(listener, &self.server))
    }
}

/// Those of controllers are not the server's.
pub(super) fn nowhere_to_listen() -> Error {
    invalid("listeners", "", "at least one, besides those of controllers")
}
