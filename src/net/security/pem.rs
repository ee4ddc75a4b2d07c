//! Keys and certificates in PEM, in files or in configs themselves, under Kafka's names: what both ends of TLS are made
//! of.

use std::fmt::Display;

use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, SupportedProtocolVersion, version};

use crate::config::{Password, TlsVersion, invalid};
use crate::error::{Error, Result};

/// Where PEM is, and the config that says so.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) key: &'static str,
    value: &'a str,
    /// Whether the value is the PEM itself.
    is_inline: bool,
}

/// Where the private key is, and where the certificates are. None if no config says so.
pub(crate) fn keystore<'a>(
    location: &'a str,
    key: &'a Password,
    certificate_chain: &'a Password,
) -> Result<Option<(Source<'a>, Source<'a>)>> {
    let file = file("ssl.keystore.location", location);
    let key = inline("ssl.keystore.key", key);
    let chain = inline("ssl.keystore.certificate.chain", certificate_chain);
    match (file, key, chain) {
        (None, None, None) => Ok(None),
        (Some(file), None, None) => Ok(Some((file, file))),
        (None, Some(key), Some(chain)) => Ok(Some((key, chain))),
        (None, Some(_), None) => {
            Err(invalid("ssl.keystore.certificate.chain", "", "the certificate that belongs to ssl.keystore.key"))
        }
        (None, None, Some(_)) => {
            Err(invalid("ssl.keystore.key", "", "the key that belongs to ssl.keystore.certificate.chain"))
        }
        (Some(file), ..) => {
            let expected = "nothing beside ssl.keystore.key and ssl.keystore.certificate.chain, or nothing in these";
            Err(file.expected(expected.to_owned()))
        }
    }
}

/// Where the certificates of authorities are. None if no config says so.
pub(crate) fn truststore<'a>(location: &'a str, certificates: &'a Password) -> Result<Option<Source<'a>>> {
    let file = file("ssl.truststore.location", location);
    match (file, inline("ssl.truststore.certificates", certificates)) {
        (Some(file), Some(_)) => Err(file.expected("nothing beside ssl.truststore.certificates".to_owned())),
        (file, inline) => Ok(file.or(inline)),
    }
}

/// The versions of TLS as the library that speaks them has them.
pub(crate) fn versions(enabled: &[TlsVersion]) -> Vec<&'static SupportedProtocolVersion> {
    let version = |version: &TlsVersion| match version {
        TlsVersion::Tls12 => &version::TLS12,
        TlsVersion::Tls13 => &version::TLS13,
    };
    enabled.iter().map(version).collect()
}

/// That the library can't use what a config gives it.
pub(crate) fn unusable(key: &str, error: &dyn Display) -> Error {
    invalid(key, "[hidden]", format!("what TLS can use: {error}"))
}

fn file<'a>(key: &'static str, value: &'a str) -> Option<Source<'a>> {
    (!value.is_empty()).then_some(Source { key, value, is_inline: false })
}

fn inline<'a>(key: &'static str, value: &'a Password) -> Option<Source<'a>> {
    value.is_set().then_some(Source { key, value: value.secret(), is_inline: true })
}

impl Source<'_> {
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let found = match self.is_inline {
            true => CertificateDer::pem_slice_iter(with_lines(self.value).as_bytes()).collect::<Result<Vec<_>, _>>(),
            false => CertificateDer::pem_file_iter(self.value).and_then(Iterator::collect),
        };
        match found {
            Ok(certificates) if certificates.is_empty() => Err(self.unreadable("certificates", PemError::NoItemsFound)),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(self.unreadable("certificates", error)),
        }
    }

    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>> {
        let found = match self.is_inline {
            true => PrivateKeyDer::from_pem_slice(with_lines(self.value).as_bytes()),
            false => PrivateKeyDer::from_pem_file(self.value),
        };
        found.map_err(|error| self.unreadable("a private key that is not encrypted", error))
    }

    /// The certificates as those of authorities.
    pub(crate) fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.expected(format!("certificates of authorities: {error}")))?;
        }
        Ok(roots)
    }

    fn unreadable(&self, what: &str, error: PemError) -> Error {
        match error {
            PemError::Io(error) => Error::io("read", self.value, error),
            PemError::NoItemsFound => self.expected(format!("{what}, in PEM")),
            error => self.expected(format!("{what}, in PEM: {error}")),
        }
    }

    fn expected(&self, expected: String) -> Error {
        invalid(self.key, if self.is_inline { "[hidden]" } else { self.value }, expected)
    }
}

/// PEM with the line breaks that it has in a file. In a config it may have spaces in place of them, as in Kafka.
fn with_lines(pem: &str) -> String {
    let part = |(index, part): (usize, &str)| match index % 2 {
        0 => part.split_whitespace().map(|line| format!("{line}\n")).collect(),
        _ => format!("-----{part}-----\n"),
    };
    pem.split("-----").enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_may_stand_on_one_line() {
        let lines = "-----BEGIN X-----\nAAAA\nBBBB\n-----END X-----\n";
        assert_eq!(with_lines(lines), lines);
        assert_eq!(with_lines(&lines.replace('\n', " ")), lines);
    }
}
