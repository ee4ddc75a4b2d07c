//! What is one of a few words in Kafka's security configs.

use crate::config::ConfigType;
use crate::config::value::{ConfigValue, Valid};

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

impl Valid<Vec<TlsVersion>> {
    /// At least one.
    pub(in crate::config) fn some() -> Self {
        Self::new(|versions: &Vec<TlsVersion>| !versions.is_empty(), <Vec<TlsVersion>>::EXPECTED)
    }
}
