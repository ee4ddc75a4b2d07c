//! What the clients of one listener have to show, and what they are shown: Kafka's `ssl.…` and `sasl.…` configs.

use super::password::Password;
use super::words::{ClientAuth, SaslMechanism, StoreType, TlsVersion};
use crate::config::entry::field_entry;
use crate::config::value::{Valid, any, at_least, between};
use crate::config::{ConfigEntry, invalid};
use crate::error::Result;

configs! {
    /// What the clients of a listener have to show before they are let in, and what the server shows them. Only what
    /// the listener's security protocol asks for counts.
    ListenerSecurity, each "a broker config", checked when "the server starts";

    /// What the server's keys and certificates are written in. Kafka's default is JKS.
    ssl_keystore_type: StoreType = StoreType::Pem, "ssl.keystore.type", any();
    /// A file with the server's private key, not encrypted, and its certificate, behind which come those that lead from
    /// it to an authority that clients trust. It is read when the server starts, and again for each client that comes;
    /// one of which nothing can be made then is left aside with a warning.
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
    /// A file with the certificates of the authorities that clients' certificates must come from. It is read as often
    /// as that of the keystore.
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
