//! PLAIN (RFC 4616): the client sends its name and its password.

/// A login by PLAIN.
#[derive(PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

impl<'a> Plain<'a> {
    /// Reads `[<authorization>] NUL <user> NUL <password>`. None if it is something else, or somebody wants to act for
    /// somebody else.
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(message).ok()?.split('\0');
        let (authorization, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next().is_none() && !user.is_empty() && !password.is_empty();
        let is_himself = authorization.is_empty() || authorization == user;
        (is_whole && is_himself).then_some(Self { user, password })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_are_a_login() {
        for message in ["\0alice\0secret", "alice\0alice\0secret"] {
            let plain = Plain::parse(message.as_bytes()).expect("well-formed");
            assert_eq!((plain.user, plain.password), ("alice", "secret"));
        }
        for message in ["", "alice", "\0alice", "\0\0secret", "\0alice\0", "bob\0alice\0secret", "\0alice\0secret\0"] {
            assert!(Plain::parse(message.as_bytes()).is_none(), "{message:?}");
        }
        assert!(Plain::parse(b"\0alice\0\xff").is_none());
    }
}
