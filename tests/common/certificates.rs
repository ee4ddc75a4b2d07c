//! An authority that tests trust, and the certificates that it issues.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Somebody who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A private key and a certificate, in PEM.
pub(crate) struct Identity {
    pub(crate) key: String,
    pub(crate) certificate: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// For `localhost`.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.issue_for(name, "localhost")
    }

    /// For a host, by its name or address.
    pub(crate) fn issue_for(&self, name: &str, host: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Identity { key: key.serialize_pem(), certificate }
    }
}

impl Identity {
    /// Both, as a keystore in PEM has them.
    pub(crate) fn pem(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }
}
