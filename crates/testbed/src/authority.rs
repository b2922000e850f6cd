//! Who is who in the control plane? A certificate authority of its own, and the keys of those who take part.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::error::StartError;

/// Names and addresses under which the API server is reached.
const SERVER: [&str; 6] = [
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// A certificate authority whose key never leaves this process.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

// === impl Authority ===

impl Authority {
    pub(crate) fn new() -> Result<Self, StartError> {
        let key = KeyPair::generate().map_err(|error| unusable(&error))?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "podid-testbed");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|error| unusable(&error))?;
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(params, key) })
    }

    /// The authority's certificate in PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// What the API server shows.
    pub(crate) fn server(&self) -> Result<Pair, StartError> {
        let names = SERVER.map(str::to_owned);
        let mut params = CertificateParams::new(names).map_err(|error| unusable(&error))?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// What a client shows that is called `name` and belongs to `group`.
    pub(crate) fn client(&self, name: &str, group: Option<&str>) -> Result<Pair, StartError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Pair, StartError> {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().map_err(|error| unusable(&error))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| unusable(&error))?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The key that signs service accounts' tokens, and what proves them: private, public.
pub(crate) fn token_keys() -> Result<(String, String), StartError> {
    let key = KeyPair::generate().map_err(|error| unusable(&error))?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

fn unusable(error: &rcgen::Error) -> StartError {
    StartError::Unusable { what: "a certificate", problem: error.to_string() }
}
