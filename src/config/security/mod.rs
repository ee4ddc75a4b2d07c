//! What clients have to show before they are let in: the same configs for all listeners and, behind
//! `listener.name.<name>.`, for one.

mod listener;
mod password;
mod protocol_map;
mod words;

use std::collections::BTreeMap;

use super::{ConfigEntry, invalid};
use crate::error::{Error, Result};

pub use listener::ListenerSecurity;
pub use password::Password;
pub use protocol_map::SecurityProtocolMap;
pub use words::{ClientAuth, EndpointIdentification, SaslMechanism, SecurityProtocol, StoreType, TlsVersion};

/// What clients have to show before they are let in: the same for all listeners, except for what a listener has of its
/// own.
///
/// ```
/// use esker::server::{ClientAuth, ServerConfig};
///
/// let mut config = ServerConfig::default();
/// config.set("ssl.keystore.location", "/etc/esker/server.pem")?;
/// config.set("listener.name.internal.ssl.client.auth", "required")?;
/// assert_eq!(config.security.of("EXTERNAL").ssl_client_auth, ClientAuth::None);
/// assert_eq!(config.security.of("INTERNAL").ssl_client_auth, ClientAuth::Required);
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecurityConfig {
    /// That of a listener which has nothing of its own.
    pub default: ListenerSecurity,
    /// By the names of listeners in lower case, what was set for them, in that order.
    overrides: BTreeMap<String, Vec<(String, Password)>>,
}

impl SecurityConfig {
    /// The security of the listener with this name.
    pub fn of(&self, listener: &str) -> ListenerSecurity {
        let mut security = self.default.clone();
        for (key, value) in self.overrides.get(&listener.to_ascii_lowercase()).into_iter().flatten() {
            // It was valid when it was set.
            let _ = security.set(key, value.secret());
        }
        security
    }

    /// Whether a config was set for the listener with this name.
    pub(crate) fn has_own(&self, listener: &str, key: &str) -> bool {
        let of_listener = self.overrides.get(&listener.to_ascii_lowercase());
        of_listener.is_some_and(|overrides| overrides.iter().any(|(own, _)| own == key))
    }

    /// Sets a config for all listeners, or, behind `listener.name.<name>.`, for one.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig).
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let Some((listener, own)) = of_listener(key) else { return self.default.set(key, value) };
        // Errors name the whole key.
        ListenerSecurity::default().set(own, value).map_err(|error| match error {
            Error::InvalidConfig { value, expected, .. } => invalid(key, &value, expected),
            other => other,
        })?;
        let overrides = self.overrides.entry(listener.to_ascii_lowercase()).or_default();
        overrides.push((own.to_owned(), Password::new(value)));
        Ok(())
    }

    pub(super) fn has(key: &str) -> bool {
        ListenerSecurity::has(of_listener(key).map_or(key, |(_, own)| own))
    }

    pub(super) fn keys() -> impl Iterator<Item = &'static str> {
        ListenerSecurity::keys()
    }

    /// What there is to say of what all listeners have.
    pub(super) fn describe(&self) -> Vec<ConfigEntry> {
        self.default.describe()
    }

    pub(super) fn validate(&self) -> Result<()> {
        self.default.validate()
    }
}

/// The listener that a key is for, and the key of its config.
pub(super) fn of_listener(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("listener.name.")?.split_once('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_has_of_its_own_counts_for_it_alone() {
        let mut config = SecurityConfig::default();
        for (key, value) in [
            ("sasl.enabled.mechanisms", "PLAIN"),
            ("listener.name.sasl_ssl.sasl.enabled.mechanisms", "SCRAM-SHA-256, scram-sha-512"),
            ("listener.name.sasl_ssl.plain.sasl.jaas.config", "a secret"),
        ] {
            config.set(key, value).expect("valid");
            assert!(SecurityConfig::has(key));
        }
        let own = config.of("SASL_SSL");
        assert_eq!(own.sasl_enabled_mechanisms, [SaslMechanism::ScramSha256, SaslMechanism::ScramSha512]);
        assert_eq!(own.plain_sasl_jaas_config.secret(), "a secret");
        assert_eq!(config.of("OTHER"), config.default);
        assert!(!format!("{config:?}").contains("a secret"));
        assert!(!SecurityConfig::has("listener.name.sasl_ssl.max.connections"));
    }

    #[test]
    fn errors_name_the_whole_key_and_no_secret() {
        let mut config = SecurityConfig::default();
        for (key, value, says) in [
            ("listener.name.a.ssl.keystore.type", "JKS", "PEM"),
            ("listener.name.a.sasl.enabled.mechanisms", "GSSAPI", "SCRAM-SHA-512"),
            ("ssl.client.auth", "perhaps", "requested"),
            ("ssl.enabled.protocols", "", "TLSv1.3"),
            ("ssl.enabled.protocols", "SSLv3", "TLSv1.3"),
            ("listener.name.a.nonsense", "", "a broker config"),
        ] {
            let error = config.set(key, value).expect_err("invalid").to_string();
            assert!(error.contains(key) && error.contains(says), "{error}");
        }
        let error = config.set("ssl.key.password", "hush").expect_err("invalid").to_string();
        assert!(!error.contains("hush"), "{error}");
    }
}
