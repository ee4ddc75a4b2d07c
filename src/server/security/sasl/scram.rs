//! SCRAM as the server has it (RFC 5802, and RFC 7677 for its hashes): a state machine of two steps, without I/O.
//!
//! ```text
//!   client  n,,n=alice,r=<nonce>                                    ClientFirst::parse
//!   server  r=<nonce><more nonce>,s=<salt>,i=<iterations>           ClientFirst::challenge
//!   client  c=biws,r=<both nonces>,p=<proof>                        Challenge::finish
//!   server  v=<signature>
//! ```
//!
//! The proof shows that the client knows the password, the signature that the server knows what is kept of it. Neither
//! can be used a second time, for both nonces are in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::config::ScramMechanism;
use crate::net::security::sasl::scram::{attribute, is_printable, name};
use crate::server::limits::SMALL_LOGIN_BYTES;
use crate::store::ScramCredential;

/// Why a login came to nothing. The client isn't told which of these it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScramError {
    #[error("the client's message is no message of SCRAM")]
    Malformed,
    #[error("the client wants a channel binding")]
    ChannelBinding,
    #[error("the client wants to act for somebody else")]
    Authorization,
    #[error("the nonce is not that of this exchange")]
    Nonce,
    #[error("the client doesn't know the password")]
    Proof,
}

/// What the client begins with.
#[derive(Debug)]
pub(super) struct ClientFirst {
    pub(super) user: String,
    nonce: String,
    /// The message up to where its bare part begins, which its last one repeats.
    gs2_header: String,
    bare: String,
}

impl ClientFirst {
    /// Reads `n,[a=<authorization>],[m=…,]n=<user>,r=<nonce>[,<extensions>]`.
    pub(super) fn parse(message: &[u8]) -> Result<Self, ScramError> {
        // All of it is kept until the client's last message comes, when its frame counts no more.
        if message.len() > SMALL_LOGIN_BYTES {
            return Err(ScramError::Malformed);
        }
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let (flag, rest) = message.split_once(',').ok_or(ScramError::Malformed)?;
        match flag {
            "n" | "y" => {}
            flag if flag.starts_with("p=") => return Err(ScramError::ChannelBinding),
            _ => return Err(ScramError::Malformed),
        }
        let (authorization, bare) = rest.split_once(',').ok_or(ScramError::Malformed)?;
        let mut attributes = bare.split(',');
        let user = attribute(attributes.next(), "n=").and_then(name).ok_or(ScramError::Malformed)?;
        let nonce =
            attribute(attributes.next(), "r=").filter(|nonce| is_printable(nonce)).ok_or(ScramError::Malformed)?;
        match authorization {
            "" => {}
            other if attribute(Some(other), "a=").and_then(name).as_deref() == Some(&*user) => {}
            _ => return Err(ScramError::Authorization),
        }
        let gs2_header = message[..message.len() - bare.len()].to_owned();
        Ok(Self { user, nonce: nonce.to_owned(), gs2_header, bare: bare.to_owned() })
    }

    /// What the client has to prove that it knows the password of `credential`. `nonce` is new each time.
    pub(super) fn challenge(self, mechanism: ScramMechanism, credential: ScramCredential, nonce: &str) -> Challenge {
        let nonce = format!("{}{nonce}", self.nonce);
        let (salt, iterations) = (STANDARD.encode(&credential.salt), credential.iterations);
        let message = format!("r={nonce},s={salt},i={iterations}");
        Challenge { mechanism, credential, first: self, nonce, message }
    }
}

/// What the server has answered to the first message.
#[derive(Debug)]
pub(super) struct Challenge {
    mechanism: ScramMechanism,
    credential: ScramCredential,
    first: ClientFirst,
    nonce: String,
    message: String,
}

impl Challenge {
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Checks the client's last message, `c=<binding>,r=<nonce>[,<extensions>],p=<proof>`. Returns the user, and the
    /// last message to it.
    pub(super) fn finish(self, message: &[u8]) -> Result<(String, String), ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attribute(attributes.next(), "c=").and_then(|text| STANDARD.decode(text).ok());
        let nonce = attribute(attributes.next(), "r=").ok_or(ScramError::Malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Malformed)?;
        if binding.ok_or(ScramError::Malformed)? != self.first.gs2_header.as_bytes() {
            return Err(ScramError::ChannelBinding);
        }
        if nonce != self.nonce {
            return Err(ScramError::Nonce);
        }
        let Self { mechanism, credential, first, message: challenge, .. } = self;
        let exchange = format!("{},{challenge},{without_proof}", first.bare);
        let signature = mechanism.hmac(&credential.stored_key, exchange.as_bytes());
        if proof.len() != signature.len() {
            return Err(ScramError::Proof);
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if !bool::from(mechanism.hash(&client_key).ct_eq(&credential.stored_key)) {
            return Err(ScramError::Proof);
        }
        let signature = mechanism.hmac(&credential.server_key, exchange.as_bytes());
        Ok((first.user, format!("v={}", STANDARD.encode(signature))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::config::Password;
    use crate::net::security::sasl::scram as client;
    use crate::server::security::sasl::plain::Plain;
    use crate::store::ScramUsers;

    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";

    fn credential(mechanism: ScramMechanism, password: &str, salt: &str) -> ScramCredential {
        let salt = STANDARD.decode(salt).expect("base64");
        let fixed = ScramCredential { salt, iterations: 4096, stored_key: Vec::new(), server_key: Vec::new() };
        fixed.with_password(mechanism, password)
    }

    /// RFC 7677, section 3.
    fn of_the_rfc() -> Challenge {
        let first = ClientFirst::parse(FIRST).expect("well-formed");
        assert_eq!(first.user, "user");
        // Once, for it takes its time.
        static CREDENTIAL: LazyLock<ScramCredential> =
            LazyLock::new(|| credential(ScramMechanism::Sha256, "pencil", "W22ZaJ0SNY7soEsUEjb6gQ=="));
        first.challenge(ScramMechanism::Sha256, CREDENTIAL.clone(), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    }

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        let challenge = of_the_rfc();
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        assert_eq!(challenge.message(), format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let finished = challenge.finish(last.as_bytes());
        assert_eq!(finished, Ok(("user".into(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".into())));
    }

    #[test]
    fn a_client_with_the_password_and_no_other_comes_to_an_end_with_the_server() {
        for (mechanism, password, is_right) in [
            (ScramMechanism::Sha256, "pencil", true),
            (ScramMechanism::Sha512, "pencil", true),
            (ScramMechanism::Sha512, "Pencil", false),
        ] {
            let kept = credential(mechanism, "pencil", "c2FsdA==");
            assert_eq!(kept.is_of(mechanism, password), is_right);
            let client = client::ClientFirst::new(mechanism, "a,b=c", "nonce");
            let first = ClientFirst::parse(client.message().as_bytes()).expect("well-formed");
            let challenge = first.challenge(mechanism, kept, "more");
            let last = client.answer(&Password::new(password), challenge.message().as_bytes()).expect("well-formed");
            match challenge.finish(last.message().as_bytes()) {
                Ok((user, message)) => {
                    assert_eq!((&*user, last.check(message.as_bytes()), is_right), ("a,b=c", Ok(()), true));
                }
                Err(error) => assert_eq!((error, is_right), (ScramError::Proof, false)),
            }
        }
    }

    #[test]
    fn a_first_message_is_refused_unless_all_of_it_is_understood() {
        for (message, error) in [
            (&b""[..], ScramError::Malformed),
            (b"n,,", ScramError::Malformed),
            (b"n,,n=user", ScramError::Malformed),
            (b"n,,n=user,r=", ScramError::Malformed),
            (b"n,,n=,r=a", ScramError::Malformed),
            (b"n,,r=a,n=user", ScramError::Malformed),
            (b"n,,m=mandatory,n=user,r=a", ScramError::Malformed),
            (b"n,,n=us=er,r=a", ScramError::Malformed),
            (b"n,,n=user=2c,r=a", ScramError::Malformed),
            (b"n,,n=user,r=a\x07", ScramError::Malformed),
            (b"x,,n=user,r=a", ScramError::Malformed),
            (b"n,,n=\xff,r=a", ScramError::Malformed),
            (b"p=tls-unique,,n=user,r=a", ScramError::ChannelBinding),
            (b"n,a=admin,n=user,r=a", ScramError::Authorization),
        ] {
            assert_eq!(ClientFirst::parse(message).expect_err("refused"), error, "{message:?}");
        }
        let long = |nonce_bytes: usize| format!("n,,n=user,r={}", "a".repeat(nonce_bytes)).into_bytes();
        let longest = SMALL_LOGIN_BYTES - long(0).len();
        assert!(ClientFirst::parse(&long(longest)).is_ok());
        assert_eq!(ClientFirst::parse(&long(longest + 1)).expect_err("too long to be kept"), ScramError::Malformed);
        let first = ClientFirst::parse(b"y,a=a=2Cb=3D,n=a=2Cb=3D,r=x,tokenauth=true").expect("well-formed");
        assert_eq!((&*first.user, &*first.gs2_header), ("a,b=", "y,a=a=2Cb=3D,"));
    }

    #[test]
    fn a_last_message_is_refused_unless_it_is_of_this_exchange() {
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        for (message, error) in [
            (String::new(), ScramError::Malformed),
            (format!("c=biws,r={nonce}"), ScramError::Malformed),
            (format!("c=biws,r={nonce},p=***"), ScramError::Malformed),
            (format!("r={nonce},c=biws,p={proof}"), ScramError::Malformed),
            (format!("c=eSws,r={nonce},p={proof}"), ScramError::ChannelBinding),
            (format!("c=biws,r={nonce}x,p={proof}"), ScramError::Nonce),
            (format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,p={proof}"), ScramError::Nonce),
            (format!("c=biws,r={nonce},x=extension,p={proof}"), ScramError::Proof),
            (format!("c=biws,r={nonce},p=AAAA"), ScramError::Proof),
            (format!("c=biws,r={nonce},p={}", proof.replace('d', "e")), ScramError::Proof),
        ] {
            assert_eq!(of_the_rfc().finish(message.as_bytes()), Err(error), "{message}");
        }
    }

    #[test]
    fn nobody_has_the_password_of_a_user_who_is_not_there() {
        let nobody = ScramUsers::new();
        let fake = |user: &str, secret: &[u8]| ScramCredential::fake(ScramMechanism::Sha256, user, &nobody, secret);
        assert_eq!(fake("eve", b"secret"), fake("eve", b"secret"), "asked twice, the salt is the same");
        assert_ne!(fake("eve", b"secret").salt, fake("adam", b"secret").salt);
        assert_ne!(fake("eve", b"secret").salt, fake("eve", b"other").salt);
        let real = ScramCredential::new(ScramMechanism::Sha256, "p", 4096).expect("valid");
        assert_eq!(fake("eve", b"secret").salt.len(), real.salt.len());
        assert!(!fake("eve", b"secret").is_of(ScramMechanism::Sha256, "p"));
    }

    /// A message with some of its bytes changed, left out or said twice, or anything at all.
    fn bent(message: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), prop::sample::select(b",=\0npycrasi".to_vec())];
        let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3usize, prop::option::of(byte)), 0..4);
        let bend = move |edits: Vec<(prop::sample::Index, usize, Option<u8>)>| {
            edits.into_iter().fold(message.to_vec(), |mut bent, (at, removed, added)| {
                let at = at.index(bent.len() + 1);
                let end = bent.len().min(at + removed);
                bent.splice(at..end, added);
                bent
            })
        };
        prop_oneof![4 => edits.prop_map(bend), 1 => prop::collection::vec(any::<u8>(), 0..64)]
    }

    const LAST: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    proptest! {
        #[test]
        fn nothing_else_than_the_proof_lets_anybody_in(last in bent(LAST)) {
            prop_assert_eq!(of_the_rfc().finish(&last).is_ok(), last == LAST);
        }

        #[test]
        fn a_first_message_is_read_as_it_is_or_not_at_all(first in bent(FIRST), plain in bent(b"\0alice\0secret")) {
            if let Ok(read) = ClientFirst::parse(&first) {
                let whole = [read.gs2_header, read.bare].concat();
                prop_assert_eq!(whole.as_bytes(), &*first);
                prop_assert!(!read.user.is_empty() && !read.nonce.is_empty());
            }
            if let Some(Plain { user, password }) = Plain::parse(&plain) {
                let end = format!("\0{user}\0{password}");
                prop_assert!(plain.ends_with(end.as_bytes()));
            }
        }
    }
}
