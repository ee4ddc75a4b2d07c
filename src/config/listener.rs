//! Where a server listens: Kafka's `listeners`.

use std::fmt;
use std::str::FromStr;

use super::ConfigType;
use super::value::ConfigValue;

/// An address with the name that it goes by, `NAME://host:port`: where a server listens, or where clients are told to
/// connect to.
///
/// ```
/// let listener: esker::server::Listener = "PLAINTEXT://127.0.0.1:9092".parse()?;
/// assert_eq!((&*listener.name, &*listener.host, listener.port), ("PLAINTEXT", "127.0.0.1", 9092));
/// # Ok::<(), esker::server::ParseListenerError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name, in upper case: that of a security protocol, or one of its own.
    pub name: String,
    /// A name or an address. Empty for every interface of the machine; where clients are told to connect to, for the
    /// address that they have come to.
    pub host: String,
    /// The port. 0 to listen on any that is free, and to tell clients which one that is.
    pub port: u16,
}

impl Listener {
    /// A listener for plain TCP.
    pub fn plaintext(host: impl Into<String>, port: u16) -> Self {
        Self { name: "PLAINTEXT".to_owned(), host: host.into(), port }
    }
}

/// The text is no listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a listener is NAME://host:port")]
#[non_exhaustive]
pub struct ParseListenerError;

impl FromStr for Listener {
    type Err = ParseListenerError;

    fn from_str(text: &str) -> Result<Self, ParseListenerError> {
        let (name, address) = text.trim().split_once("://").ok_or(ParseListenerError)?;
        let (host, port) = address.rsplit_once(':').ok_or(ParseListenerError)?;
        // An address of IPv6 is in brackets, because it has colons too.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if !is_name || host.contains(['/', ' ', ',']) {
            return Err(ParseListenerError);
        }
        let port = port.parse().map_err(|_| ParseListenerError)?;
        Ok(Self { name: name.to_ascii_uppercase(), host: host.to_owned(), port })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, host, port } = self;
        if host.contains(':') { write!(f, "{name}://[{host}]:{port}") } else { write!(f, "{name}://{host}:{port}") }
    }
}

impl ConfigValue for Vec<Listener> {
    const TYPE: ConfigType = ConfigType::List;
    const EXPECTED: &'static str = "a list of NAME://host:port, each with a name of its own";

    fn parse(value: &str) -> Option<Self> {
        let words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
        let listeners: Self = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let is_first =
            |(at, listener): (usize, &Listener)| !listeners[..at].iter().any(|one| one.name == listener.name);
        listeners.iter().enumerate().all(is_first).then_some(listeners)
    }

    fn print(&self) -> String {
        self.iter().map(Listener::to_string).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_and_written_as_kafka_does() {
        let text = "PLAINTEXT://:9092,INTERNAL://[::1]:0,SSL://example.org:9093";
        let listeners = <Vec<Listener>>::parse(text).expect("a list of listeners");
        assert_eq!(listeners[0], Listener::plaintext("", 9092));
        assert_eq!(listeners[1].host, "::1");
        assert_eq!(listeners.print(), text);
        for wrong in
            ["localhost:9092", "PLAINTEXT://localhost", "://a:1", "A://b:70000", "A://b:1,a://c:2", "A://b/c:1"]
        {
            assert_eq!(<Vec<Listener>>::parse(wrong), None, "{wrong}");
        }
    }
}
