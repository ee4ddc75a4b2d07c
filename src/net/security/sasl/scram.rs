//! SCRAM as a client has it (RFC 5802, and RFC 7677 for its hashes): a state machine of two steps, without I/O; and how
//! its messages are written, which the server needs too.
//!
//! ```text
//!   client  n,,n=alice,r=<nonce>                                    ClientFirst::message
//!   server  r=<nonce><more nonce>,s=<salt>,i=<iterations>           ClientFirst::answer
//!   client  c=biws,r=<both nonces>,p=<proof>                        ClientFinal::message
//!   server  v=<signature>                                           ClientFinal::check
//! ```
//!
//! The signature shows that the server knows what is kept of the password. A server that doesn't is not gone on with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::config::{Password, ScramMechanism};

/// How often a server may ask for a password to be hashed. Fewer times than Kafka's brokers have it are too cheap to
/// guess; and somebody who only says that he is a server is not to keep a client busy.
const ITERATIONS_MIN: u32 = 4096;
const ITERATIONS_MAX: u32 = 1_000_000;

/// Why a client doesn't go on with a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    #[error("the broker's message is no message of SCRAM")]
    Malformed,
    #[error("the nonce is not that of this exchange")]
    Nonce,
    #[error("the broker wants the password to be hashed {0} times, not {ITERATIONS_MIN} to {ITERATIONS_MAX} times")]
    Iterations(u32),
    #[error("the broker says {0:?}")]
    Refused(String),
    #[error("the broker doesn't know the password")]
    Signature,
}

/// What the client begins with.
#[derive(Debug)]
pub(crate) struct ClientFirst {
    mechanism: ScramMechanism,
    nonce: String,
    /// The message without its header.
    bare: String,
}

/// What a client says that binds itself to no channel and acts for nobody else.
const GS2_HEADER: &str = "n,,";

impl ClientFirst {
    /// `nonce` is printable, and new each time.
    pub(crate) fn new(mechanism: ScramMechanism, user: &str, nonce: &str) -> Self {
        Self { mechanism, nonce: nonce.to_owned(), bare: format!("n={},r={nonce}", escape(user)) }
    }

    pub(crate) fn message(&self) -> String {
        format!("{GS2_HEADER}{}", self.bare)
    }

    /// Answers `r=<nonce>,s=<salt>,i=<iterations>[,<extensions>]`. Takes its time.
    pub(crate) fn answer(self, password: &Password, message: &[u8]) -> Result<ClientFinal, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let mut attributes = message.split(',');
        let nonce = attribute(attributes.next(), "r=").filter(|nonce| is_printable(nonce));
        let salt = attribute(attributes.next(), "s=").and_then(|salt| STANDARD.decode(salt).ok());
        let iterations = attribute(attributes.next(), "i=").and_then(|iterations| iterations.parse().ok());
        let (Some(nonce), Some(salt), Some(iterations)) = (nonce, salt, iterations) else {
            return Err(ScramError::Malformed);
        };
        if nonce.strip_prefix(&*self.nonce).is_none_or(str::is_empty) {
            return Err(ScramError::Nonce);
        }
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(ScramError::Iterations(iterations));
        }
        let mechanism = self.mechanism;
        let salted = mechanism.salted_password(password.secret().as_bytes(), &salt, iterations);
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(GS2_HEADER));
        let exchange = format!("{},{message},{without_proof}", self.bare);
        let client_key = mechanism.hmac(&salted, b"Client Key");
        let client_signature = mechanism.hmac(&mechanism.hash(&client_key), exchange.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(client_signature).map(|(a, b)| a ^ b).collect();
        Ok(ClientFinal {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            signature: mechanism.hmac(&mechanism.hmac(&salted, b"Server Key"), exchange.as_bytes()),
        })
    }
}

/// What the client ends with.
pub(crate) struct ClientFinal {
    message: String,
    /// The server's, if it knows the password.
    signature: Vec<u8>,
}

impl ClientFinal {
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Checks the server's last message, `v=<signature>[,<extensions>]` or `e=<error>`.
    pub(crate) fn check(&self, message: &[u8]) -> Result<(), ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let first = message.split(',').next();
        if let Some(error) = attribute(first, "e=") {
            return Err(ScramError::Refused(error.to_owned()));
        }
        let signature = attribute(first, "v=").and_then(|signature| STANDARD.decode(signature).ok());
        match bool::from(signature.ok_or(ScramError::Malformed)?.ct_eq(&self.signature)) {
            true => Ok(()),
            false => Err(ScramError::Signature),
        }
    }
}

/// The value of an attribute, if it has this name.
pub(crate) fn attribute<'a>(attribute: Option<&'a str>, name: &str) -> Option<&'a str> {
    attribute?.strip_prefix(name).filter(|value| !value.is_empty())
}

/// Printable ASCII without a comma, which is where it ends.
pub(crate) fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A name: `=2C` is a comma in it, `=3D` a `=`, and there are no others.
pub(crate) fn name(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (c, rest) = match part.split_at_checked(2)? {
            ("2C", rest) => (',', rest),
            ("3D", rest) => ('=', rest),
            _ => return None,
        };
        name.push(c);
        name.push_str(rest);
    }
    Some(name)
}

/// A name as [`name`] reads it.
fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const BOTH_NONCES: &str = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    fn answer(message: &str) -> Result<ClientFinal, ScramError> {
        ClientFirst::new(ScramMechanism::Sha256, "user", NONCE).answer(&Password::new("pencil"), message.as_bytes())
    }

    /// RFC 7677, section 3.
    fn of_the_rfc() -> ClientFinal {
        answer(&format!("r={BOTH_NONCES},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")).expect("well-formed")
    }

    #[test]
    fn the_example_of_the_rfc_is_said_as_there() {
        let first = ClientFirst::new(ScramMechanism::Sha256, "user", NONCE);
        assert_eq!(first.message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let last = of_the_rfc();
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(last.message(), format!("c=biws,r={BOTH_NONCES},p={proof}"));
        assert_eq!(last.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert_eq!(last.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,x=extension"), Ok(()));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_not_gone_on_with() {
        let last = of_the_rfc();
        for (message, error) in [
            (&b""[..], ScramError::Malformed),
            (b"v=", ScramError::Malformed),
            (b"v=***", ScramError::Malformed),
            (b"\xff", ScramError::Malformed),
            (b"x=,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ScramError::Malformed),
            (b"v=AAAA", ScramError::Signature),
            (b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ScramError::Signature),
            (b"e=invalid-proof", ScramError::Refused("invalid-proof".into())),
        ] {
            assert_eq!(last.check(message), Err(error), "{message:?}");
        }
    }

    #[test]
    fn a_challenge_is_answered_only_if_it_is_of_this_exchange_and_can_be_borne() {
        for (message, error) in [
            (String::new(), ScramError::Malformed),
            (format!("r={BOTH_NONCES},s=c2FsdA=="), ScramError::Malformed),
            (format!("r={BOTH_NONCES},s=***,i=4096"), ScramError::Malformed),
            (format!("r={BOTH_NONCES},s=c2FsdA==,i=many"), ScramError::Malformed),
            (format!("r={BOTH_NONCES},s=c2FsdA==,i=-1"), ScramError::Malformed),
            (format!("m=mandatory,r={BOTH_NONCES},s=c2FsdA==,i=4096"), ScramError::Malformed),
            (format!("r={BOTH_NONCES}\u{7},s=c2FsdA==,i=4096"), ScramError::Malformed),
            (format!("r={NONCE},s=c2FsdA==,i=4096"), ScramError::Nonce),
            ("r=another,s=c2FsdA==,i=4096".to_owned(), ScramError::Nonce),
            (format!("r={BOTH_NONCES},s=c2FsdA==,i=1"), ScramError::Iterations(1)),
            (format!("r={BOTH_NONCES},s=c2FsdA==,i=4000000000"), ScramError::Iterations(4_000_000_000)),
        ] {
            assert_eq!(answer(&message).err(), Some(error), "{message}");
        }
    }

    #[test]
    fn any_name_can_be_said() {
        for user in ["alice", "a,b=c", "=2C", "é"] {
            assert_eq!(name(&escape(user)).as_deref(), Some(user));
        }
    }
}
