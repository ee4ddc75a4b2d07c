//! How each listener is secured (`listener.security.protocol.map`).

use std::collections::BTreeMap;

use super::words::SecurityProtocol;
use crate::config::ConfigType;
use crate::config::value::ConfigValue;

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

#[cfg(test)]
mod tests {
    use super::*;

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
