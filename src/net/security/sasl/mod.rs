//! SASL at a client's end: it says who it is, and shows it, before anything else is asked (KIP-43, KIP-152).
//!
//! ```text
//!   SaslHandshake 1 (a mechanism)  SaslAuthenticate (a token), once or twice  → let in
//! ```
//!
//! [`scram`] is the exchange of SCRAM, as a state machine without I/O; [`hash`] is what both ends make of passwords.

pub(crate) mod hash;
pub(crate) mod scram;

use std::time::{Duration, Instant};

use crate::config::{ClientConfig, Jaas, Password, SaslMechanism, ScramMechanism, invalid};
use crate::error::Result;
use crate::net::client::Connection;
use crate::net::error_code::ErrorCode;
use crate::net::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest};
use crate::net::transport::ConnectionError;
use scram::{ClientFinal, ClientFirst, ScramError};

/// Brokers know these from Kafka 2.2 on. Version 1 tells for how long a login is good (KIP-368).
const SASL_HANDSHAKE_VERSION: i16 = 1;
const SASL_AUTHENTICATE_VERSION: i16 = 1;

/// Java's modules of which the options are a user and a password. Which of them it is makes no difference to Kafka
/// either: it is the mechanism that says what becomes of these.
const MODULES: [&str; 2] = ["PlainLoginModule", "ScramLoginModule"];

/// Who a client says that it is, and how.
#[derive(Clone, Debug)]
pub(super) struct Sasl {
    mechanism: SaslMechanism,
    user: String,
    password: Password,
}

/// Where the exchange of tokens stands: what the next answer of the broker is to.
enum Exchange {
    Plain,
    ScramFirst(ClientFirst),
    ScramFinal(ClientFinal),
}

impl Sasl {
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the config that is missing, or can't be used.
    pub(super) fn new(config: &ClientConfig) -> Result<Self> {
        let mechanism = config.sasl_mechanism.ok_or_else(|| {
            let expected = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, for a security.protocol with SASL";
            invalid("sasl.mechanism", "", expected)
        })?;
        let (user, password) = user(&config.sasl_jaas_config)?;
        Ok(Self { mechanism, user, password })
    }

    /// Says over a connection, before anything else, who it is from. Returns when it is time to do so again, if it will
    /// be.
    pub(super) async fn log_in(&self, connection: &Connection) -> Result<Option<Instant>, ConnectionError> {
        let request = SaslHandshakeRequest { mechanism: self.mechanism.name().to_owned() };
        let response = connection.send(&request, SASL_HANDSHAKE_VERSION).await?;
        match response.error_code {
            ErrorCode::NONE => {}
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let (asked, enabled) = (self.mechanism.name(), response.mechanisms.join(", "));
                let why = format!("the broker doesn't enable {asked}: it has {enabled}");
                return Err(ConnectionError::Authentication(why));
            }
            code => return Err(ConnectionError::Authentication(format!("{code:?}"))),
        }
        let (mut token, mut exchange) = self.begin()?;
        loop {
            let request = SaslAuthenticateRequest { auth_bytes: token.into() };
            let began = Instant::now();
            let response = connection.send(&request, SASL_AUTHENTICATE_VERSION).await?;
            if response.error_code != ErrorCode::NONE {
                let why = response.error_message.unwrap_or_else(|| format!("{:?}", response.error_code));
                return Err(ConnectionError::Authentication(why));
            }
            let lifetime_ms = response.session_lifetime_ms;
            match self.go_on(exchange, response).await? {
                Some(next) => (token, exchange) = next,
                None => return Ok(log_in_again_at(began, lifetime_ms)),
            }
        }
    }

    /// The first token.
    fn begin(&self) -> Result<(Vec<u8>, Exchange), ConnectionError> {
        match ScramMechanism::of(self.mechanism) {
            None => Ok((format!("\0{}\0{}", self.user, self.password.secret()).into_bytes(), Exchange::Plain)),
            Some(mechanism) => {
                let nonce = hash::random::<32>().map_err(|error| ConnectionError::Authentication(error.to_string()))?;
                let nonce = String::from_utf8_lossy(&hash::readable(&nonce)).into_owned();
                let first = ClientFirst::new(mechanism, &self.user, &nonce);
                Ok((first.message().into_bytes(), Exchange::ScramFirst(first)))
            }
        }
    }

    /// The next token, if there is to be one. None if the client is in.
    async fn go_on(
        &self,
        exchange: Exchange,
        response: SaslAuthenticateResponse,
    ) -> Result<Option<(Vec<u8>, Exchange)>, ConnectionError> {
        let refused = |error: ScramError| ConnectionError::Authentication(error.to_string());
        let message = response.auth_bytes;
        match exchange {
            Exchange::Plain => Ok(None),
            Exchange::ScramFirst(first) => {
                let password = self.password.clone();
                // Nothing else on this thread has to wait while the password is hashed.
                let answered = tokio::task::spawn_blocking(move || first.answer(&password, &message)).await;
                let last = answered.map_err(|_| ConnectionError::Closed)?.map_err(refused)?;
                Ok(Some((last.message().as_bytes().to_vec(), Exchange::ScramFinal(last))))
            }
            Exchange::ScramFinal(last) => last.check(&message).map(|()| None).map_err(refused),
        }
    }
}

/// When to log in again where a login is good for so long, 0 for ever. As Kafka's clients, after 85 percent of that.
fn log_in_again_at(began: Instant, lifetime_ms: i64) -> Option<Instant> {
    let lifetime = Duration::from_millis(u64::try_from(lifetime_ms).ok().filter(|lifetime| *lifetime > 0)?);
    began.checked_add(lifetime / 100 * 85)
}

/// The user that a login module's options name, and the password.
fn user(config: &Password) -> Result<(String, Password)> {
    let refused = |expected: String| invalid("sasl.jaas.config", "[hidden]", expected);
    let wanted = || refused(format!("{} required username=\"...\" password=\"...\";", MODULES.join(" or ")));
    let jaas = Jaas::parse(config.secret()).filter(|jaas| MODULES.contains(&&*jaas.module)).ok_or_else(wanted)?;
    let option = |name: &str| {
        let found = jaas.options.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    if option("tokenauth").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(refused("a user with a password: delegation tokens are not known here".to_owned()));
    }
    let user = option("username").ok_or_else(wanted)?;
    Ok((user, Password::new(option("password").ok_or_else(wanted)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sasl(mechanism: &str, jaas: &str) -> Result<Sasl> {
        let mut config = ClientConfig::default();
        config.set("sasl.mechanism", mechanism)?;
        config.set("sasl.jaas.config", jaas)?;
        Sasl::new(&config)
    }

    #[test]
    fn a_user_is_read_from_either_module() {
        for module in ["org.apache.kafka.common.security.plain.PlainLoginModule", "ScramLoginModule"] {
            let line = format!("{module} required username=\"alice\" password='a b';");
            let sasl = sasl("scram-sha-512", &line).expect("valid");
            assert_eq!((&*sasl.user, sasl.password.secret()), ("alice", "a b"));
            assert!(!format!("{sasl:?}").contains("a b"));
        }
    }

    #[test]
    fn a_login_is_repeated_before_it_counts_no_more() {
        let began = Instant::now();
        assert_eq!(log_in_again_at(began, 1000), Some(began + Duration::from_millis(850)));
        for for_ever in [0, -1, i64::MIN, i64::MAX] {
            assert!(log_in_again_at(began, for_ever).is_none_or(|at| at > began + Duration::from_secs(1 << 30)));
        }
    }

    #[test]
    fn what_names_no_user_is_refused_without_telling_the_password() {
        for (mechanism, line, says) in [
            ("PLAIN", "", "sasl.jaas.config"),
            ("PLAIN", "PlainLoginModule required username=a;", "password"),
            ("PLAIN", "PlainLoginModule required username=\"\" password=hush;", "username"),
            ("PLAIN", "OAuthBearerLoginModule required username=a password=hush;", "ScramLoginModule"),
            ("PLAIN", "ScramLoginModule required username=a password=hush tokenauth=true;", "delegation tokens"),
            ("", "PlainLoginModule required username=a password=hush;", "sasl.mechanism"),
            ("GSSAPI", "", "SCRAM-SHA-256"),
        ] {
            let error = sasl(mechanism, line).expect_err("refused").to_string();
            assert!(error.contains(says) && !error.contains("hush"), "{error}");
        }
    }
}
