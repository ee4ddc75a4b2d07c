//! What clients have to show before they are let in: Kafka's `ssl.…` and `sasl.…` configs, for all listeners and, behind
//! `listener.name.<name>.`, for one.

use std::collections::BTreeMap;

use super::entry::field_entry;
use super::value::{ConfigValue, Valid, any, at_least, between};
use super::{ConfigEntry, ConfigType, invalid};
use crate::error::{Error, Result};

/// Declares a type of which each value is a word, by the words that Kafka has for them.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $expected:literal, { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// Kafka's word for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What Kafka calls so, in upper or lower case.
            pub fn from_name(name: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|known| known.name().eq_ignore_ascii_case(name.trim()))
            }
        }

        impl ConfigValue for $name {
            const TYPE: ConfigType = ConfigType::String;
            const EXPECTED: &'static str = $expected;

            fn parse(value: &str) -> Option<Self> {
                Self::from_name(value)
            }

            fn print(&self) -> String {
                self.name().to_owned()
            }
        }

        impl ConfigValue for Vec<$name> {
            const TYPE: ConfigType = ConfigType::List;
            const EXPECTED: &'static str = concat!("a list of ", $expected);

            fn parse(value: &str) -> Option<Self> {
                value.split(',').filter(|word| !word.trim().is_empty()).map($name::from_name).collect()
            }

            fn print(&self) -> String {
                self.iter().map(|word| word.name()).collect::<Vec<_>>().join(",")
            }
        }
    };
}

words! {
    /// How a listener is secured.
    SecurityProtocol, "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", {
        /// Not at all.
        Plaintext = "PLAINTEXT",
        /// By TLS (feature `tls`), which may ask clients for certificates.
        Ssl = "SSL",
        /// By SASL (feature `sasl`): clients are asked who they are. Everything can be read on the way.
        SaslPlaintext = "SASL_PLAINTEXT",
        /// By SASL over TLS.
        SaslSsl = "SASL_SSL",
    }
}

impl SecurityProtocol {
    /// Whether connections are encrypted.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether clients have to say who they are.
    pub const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

words! {
    /// Whether clients have to show a certificate.
    ClientAuth, "none, requested, required", {
        /// They aren't asked for one.
        None = "none",
        /// Whoever shows one has to show a valid one.
        Requested = "requested",
        /// Without one nobody is let in.
        Required = "required",
    }
}

words! {
    /// The form of a file of keys or certificates.
    StoreType, "PEM (stores of Java, JKS and PKCS12, are not read; `openssl pkcs12` turns one into PEM)", {
        /// Text, as openssl writes it.
        Pem = "PEM",
    }
}

words! {
    /// A version of TLS.
    TlsVersion, "TLSv1.2, TLSv1.3", {
        /// 1.2
        Tls12 = "TLSv1.2",
        /// 1.3
        Tls13 = "TLSv1.3",
    }
}

words! {
    /// A way for a client to say who it is.
    SaslMechanism, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", {
        /// By sending its password. Wants TLS.
        Plain = "PLAIN",
        /// By proving that it knows its password (RFC 7677).
        ScramSha256 = "SCRAM-SHA-256",
        /// The same with another hash.
        ScramSha512 = "SCRAM-SHA-512",
    }
}

words! {
    /// What of a broker's certificate is held against the address that a client has connected to.
    EndpointIdentification, "https, or nothing", {
        /// The host: it is one of the certificate's names.
        Https = "https",
        /// Nothing. Whoever has a certificate of an authority that the client trusts can pass for the broker.
        None = "",
    }
}

/// Text that nobody is to see: it is not told when configs are described, nor in errors and debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A secret; empty for none.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret.
    pub fn secret(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_set(&self) -> bool {
        !self.0.is_empty()
    }
}

impl From<&str> for Password {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.print())
    }
}

impl ConfigValue for Password {
    const TYPE: ConfigType = ConfigType::Password;
    const EXPECTED: &'static str = "text";

    fn parse(value: &str) -> Option<Self> {
        Some(Self::new(value))
    }

    fn print(&self) -> String {
        if self.is_set() { "[hidden]".to_owned() } else { String::new() }
    }
}

/// The security protocols of listeners, by the listeners' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityProtocolMap(BTreeMap<String, SecurityProtocol>);

impl SecurityProtocolMap {
    /// The protocol of the listener with this name.
    pub fn get(&self, listener: &str) -> Option<SecurityProtocol> {
        self.0.get(listener).copied()
    }
}

impl Default for SecurityProtocolMap {
    fn default() -> Self {
        use SecurityProtocol::{Plaintext, SaslPlaintext, SaslSsl, Ssl};
        Self([Plaintext, Ssl, SaslPlaintext, SaslSsl].map(|protocol| (protocol.name().to_owned(), protocol)).into())
    }
}

impl ConfigValue for SecurityProtocolMap {
    const TYPE: ConfigType = ConfigType::String;
    const EXPECTED: &'static str =
        "a list of LISTENER:PROTOCOL, protocols being PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL";

    fn parse(value: &str) -> Option<Self> {
        let pair = |pair: &str| {
            let (listener, protocol) = pair.split_once(':')?;
            Some((listener.trim().to_ascii_uppercase(), SecurityProtocol::from_name(protocol)?))
        };
        value.split(',').filter(|word| !word.trim().is_empty()).map(pair).collect::<Option<_>>().map(Self)
    }

    fn print(&self) -> String {
        let pair = |(listener, protocol): (&String, &SecurityProtocol)| format!("{listener}:{}", protocol.name());
        self.0.iter().map(pair).collect::<Vec<_>>().join(",")
    }
}

configs! {
    /// What the clients of a listener have to show before they are let in, and what the server shows them. Only what the
    /// listener's security protocol asks for counts.
    ListenerSecurity, each "a broker config", checked when "the server starts";

    /// What the server's keys and certificates are written in. Kafka's default is JKS.
    ssl_keystore_type: StoreType = StoreType::Pem, "ssl.keystore.type", any();
    /// A file with the server's private key, not encrypted, and its certificate, behind which come those that lead from it
    /// to an authority that clients trust. It is read when the server starts, and again for each client that comes; one of
    /// which nothing can be made then is left aside with a warning.
    ssl_keystore_location: String = String::new(), "ssl.keystore.location", any();
    /// The private key itself, not encrypted, in place of a file.
    ssl_keystore_key: Password = Password::default(), "ssl.keystore.key", any();
    /// The certificates themselves, in place of a file.
    ssl_keystore_certificate_chain: Password = Password::default(), "ssl.keystore.certificate.chain", any();
    /// The password of an encrypted private key, which is not read here: there must be none.
    ssl_key_password: Password = Password::default(), "ssl.key.password", Valid::unset();
    /// The password of a keystore, which one in PEM doesn't have: there must be none.
    ssl_keystore_password: Password = Password::default(), "ssl.keystore.password", Valid::unset();
    /// What the certificates of authorities are written in. Kafka's default is JKS.
    ssl_truststore_type: StoreType = StoreType::Pem, "ssl.truststore.type", any();
    /// A file with the certificates of the authorities that clients' certificates must come from. It is read as often as
    /// that of the keystore.
    ssl_truststore_location: String = String::new(), "ssl.truststore.location", any();
    /// The certificates of these authorities themselves, in place of a file.
    ssl_truststore_certificates: Password = Password::default(), "ssl.truststore.certificates", any();
    /// Whether clients have to show certificates. On a `SASL_SSL` listener this takes effect only if it is set for that
    /// listener, as in Kafka.
    ssl_client_auth: ClientAuth = ClientAuth::None, "ssl.client.auth", any();
    /// The versions of TLS that are spoken. There are no older ones.
    ssl_enabled_protocols: Vec<TlsVersion> = vec![TlsVersion::Tls12, TlsVersion::Tls13], "ssl.enabled.protocols", Valid::some();
    /// By which mechanisms clients may say who they are. Kafka's default is GSSAPI, which isn't here.
    sasl_enabled_mechanisms: Vec<SaslMechanism> = Vec::new(), "sasl.enabled.mechanisms", any();
    /// The users of PLAIN, as options of Kafka's `PlainLoginModule`: `user_alice="secret"` is alice with her password.
    /// Whoever isn't here is looked for among the users that SCRAM has.
    plain_sasl_jaas_config: Password = Password::default(), "plain.sasl.jaas.config", any();
    /// Kafka's `ScramLoginModule`. It has nothing to say here: the users are in the data directory.
    scram_sha_256_sasl_jaas_config: Password = Password::default(), "scram-sha-256.sasl.jaas.config", any();
    /// The same of the other mechanism.
    scram_sha_512_sasl_jaas_config: Password = Password::default(), "scram-sha-512.sasl.jaas.config", any();
    /// The largest message that is taken of a client that has not said yet who it is, in bytes.
    sasl_server_max_receive_size: usize = 524_288, "sasl.server.max.receive.size", between(1, i32::MAX as usize);
    /// When a login that fails is told so, in milliseconds after it began. Eight logins of
    /// one address are looked at at once, and one that fails is one of them until it is told.
    connection_failed_authentication_delay_ms: u64 = 100, "connection.failed.authentication.delay.ms", at_least(0);
    /// For how long a login is good, in milliseconds: a client that knows how to logs in again on its connection before
    /// that, one that doesn't loses it (KIP-368). 0 for as long as the connection is.
    connections_max_reauth_ms: u64 = 0, "connections.max.reauth.ms", at_least(0);
    /// The same for logins by PLAIN, in place of what holds for all.
    plain_connections_max_reauth_ms: Option<u64> = None, "plain.connections.max.reauth.ms", any();
    /// The same for SCRAM-SHA-256.
    scram_sha_256_connections_max_reauth_ms: Option<u64> = None, "scram-sha-256.connections.max.reauth.ms", any();
    /// The same for SCRAM-SHA-512.
    scram_sha_512_connections_max_reauth_ms: Option<u64> = None, "scram-sha-512.connections.max.reauth.ms", any();
}

/// What clients have to show before they are let in: the same for all listeners, except for what a listener has of its own.
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
fn of_listener(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("listener.name.")?.split_once('.')
}

impl Valid<Password> {
    /// None.
    pub(super) fn unset() -> Self {
        let expected = "nothing: keys and certificates are read as they are, in PEM";
        Self::new(|password: &Password| !password.is_set(), expected)
    }
}

impl Valid<Vec<TlsVersion>> {
    /// At least one.
    pub(super) fn some() -> Self {
        Self::new(|versions: &Vec<TlsVersion>| !versions.is_empty(), <Vec<TlsVersion>>::EXPECTED)
    }
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

    #[test]
    fn protocols_of_listeners_are_read_and_written_as_kafka_does() {
        let map = SecurityProtocolMap::parse("internal:SSL, PLAINTEXT:PLAINTEXT").expect("a map");
        assert_eq!(map.get("INTERNAL"), Some(SecurityProtocol::Ssl));
        assert_eq!(map.get("SSL"), None);
        assert_eq!(map.print(), "INTERNAL:SSL,PLAINTEXT:PLAINTEXT");
        assert_eq!(SecurityProtocolMap::parse("SSL"), None);
        assert_eq!(SecurityProtocolMap::parse("SSL:TLS"), None);
    }
}
