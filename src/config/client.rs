//! How a client connects to brokers: what Kafka's `client.properties` says of that, in one table.

use super::entry::field_entry;
use super::security::{EndpointIdentification, Password, SaslMechanism, SecurityProtocol, StoreType, TlsVersion};
use super::value::{ConfigValue, Valid, any};
use super::{ConfigEntry, ConfigType, invalid, java_properties};
use crate::error::Result;

configs! {
    /// How a client connects to brokers: what it trusts, and who it says that it is. Kafka's client configs by their
    /// names.
    ///
    /// ```
    /// use esker::net::{ClientConfig, SecurityProtocol};
    ///
    /// let mut config = ClientConfig::default();
    /// let ignored = config.read("security.protocol=SASL_SSL\nssl.truststore.location=ca.pem\nretries=3\n")?;
    /// assert_eq!(config.security_protocol, SecurityProtocol::SaslSsl);
    /// assert_eq!(ignored, ["retries"]);
    /// # Ok::<(), esker::Error>(())
    /// ```
    ClientConfig, each "a config of how clients connect", checked when "a `Connector` is made";

    /// What the client calls itself in its requests.
    client_id: String = String::new(), "client.id", any();
    /// How connections are secured, which is how the broker's listener is.
    security_protocol: SecurityProtocol = SecurityProtocol::Plaintext, "security.protocol", any();
    /// How the client logs in. There is no default: Kafka's is GSSAPI, which isn't here.
    sasl_mechanism: Option<SaslMechanism> = None, "sasl.mechanism", any();
    /// Who logs in, as options of Kafka's `PlainLoginModule` or `ScramLoginModule`:
    /// `username="alice" password="secret"`.
    sasl_jaas_config: Password = Password::default(), "sasl.jaas.config", any();
    /// What the certificates of authorities are written in. Kafka's default is JKS.
    ssl_truststore_type: StoreType = StoreType::Pem, "ssl.truststore.type", any();
    /// A file with the certificates of the authorities that brokers' certificates must come from. Kafka's default is
    /// those of the Java runtime; here there is none.
    ssl_truststore_location: String = String::new(), "ssl.truststore.location", any();
    /// The certificates of these authorities themselves, in place of a file.
    ssl_truststore_certificates: Password = Password::default(), "ssl.truststore.certificates", any();
    /// The password of a truststore, which one in PEM doesn't have: there must be none.
    ssl_truststore_password: Password = Password::default(), "ssl.truststore.password", Valid::unset();
    /// What the client's key and certificates are written in. Kafka's default is JKS.
    ssl_keystore_type: StoreType = StoreType::Pem, "ssl.keystore.type", any();
    /// A file with the client's private key, not encrypted, and its certificate, behind which come those that lead from
    /// it to an authority that brokers trust: for brokers that ask for one.
    ssl_keystore_location: String = String::new(), "ssl.keystore.location", any();
    /// The private key itself, not encrypted, in place of a file.
    ssl_keystore_key: Password = Password::default(), "ssl.keystore.key", any();
    /// The certificates themselves, in place of a file.
    ssl_keystore_certificate_chain: Password = Password::default(), "ssl.keystore.certificate.chain", any();
    /// The password of an encrypted private key, which is not read here: there must be none.
    ssl_key_password: Password = Password::default(), "ssl.key.password", Valid::unset();
    /// The password of a keystore, which one in PEM doesn't have: there must be none.
    ssl_keystore_password: Password = Password::default(), "ssl.keystore.password", Valid::unset();
    /// The versions of TLS that are spoken. There are no older ones.
    ssl_enabled_protocols: Vec<TlsVersion> = vec![TlsVersion::Tls12, TlsVersion::Tls13], "ssl.enabled.protocols", Valid::some();
    /// What of a broker's certificate is held against the address that was connected to. Only its alternative names
    /// count, not its common name.
    ssl_endpoint_identification_algorithm: EndpointIdentification = EndpointIdentification::Https, "ssl.endpoint.identification.algorithm", any();
}

impl ClientConfig {
    /// Sets what a file says, in the form of Kafka's `client.properties`. Returns the keys of what has no meaning here.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) for a value that isn't valid, and for a `\u` without four
    /// hexadecimal digits. What stands before it is set.
    pub fn read(&mut self, text: &str) -> Result<Vec<String>> {
        let mut ignored = Vec::new();
        for pair in java_properties::pairs(text) {
            let (key, value) = pair?;
            match Self::has(&key) {
                true => self.set(&key, &value)?,
                false => ignored.push(key),
            }
        }
        Ok(ignored)
    }
}

impl ConfigValue for Option<SaslMechanism> {
    const TYPE: ConfigType = ConfigType::String;
    const EXPECTED: &'static str = SaslMechanism::EXPECTED;

    fn parse(value: &str) -> Option<Self> {
        SaslMechanism::parse(value).map(Some)
    }

    fn print(&self) -> String {
        self.map(|mechanism| mechanism.print()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_kafkas_is_read() {
        let mut config = ClientConfig::default();
        let text = "# for the tools\nsecurity.protocol = sasl_ssl\nsasl.mechanism=SCRAM-SHA-512\n\
            sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  \
            username=\"alice\" \\\n  password=\"hush\";\nssl.truststore.type=PEM\n\
            ssl.endpoint.identification.algorithm=\nrequest.timeout.ms=1\n";
        assert_eq!(config.read(text).expect("a file of Kafka's"), ["request.timeout.ms"]);
        assert_eq!(config.security_protocol, SecurityProtocol::SaslSsl);
        assert_eq!(config.sasl_mechanism, Some(SaslMechanism::ScramSha512));
        assert!(config.sasl_jaas_config.secret().ends_with("username=\"alice\" password=\"hush\";"));
        assert_eq!(config.ssl_endpoint_identification_algorithm, EndpointIdentification::None);
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn what_can_not_be_is_named() {
        for (key, value, says) in [
            ("security.protocol", "TLS", "SASL_SSL"),
            ("sasl.mechanism", "OAUTHBEARER", "SCRAM-SHA-256"),
            ("ssl.truststore.type", "JKS", "openssl"),
            ("ssl.truststore.password", "hush", "nothing"),
            ("ssl.key.password", "hush", "nothing"),
            ("ssl.endpoint.identification.algorithm", "LDAPS", "https"),
            ("ssl.enabled.protocols", "TLSv1.1", "TLSv1.3"),
            ("acks", "all", "how clients connect"),
        ] {
            let error = ClientConfig::default().set(key, value).expect_err("invalid").to_string();
            assert!(error.contains(key) && error.contains(says) && !error.contains("hush"), "{error}");
        }
    }
}
