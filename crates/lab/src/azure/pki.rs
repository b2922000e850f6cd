//! Who vouches for the lab's TLS servers? A certificate authority of the lab's own, new in every lab.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority whose key never leaves this process.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// A certificate for a server, with its key.
pub struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    certificate_pem: String,
    key: KeyPair,
}

/// Certificates could not be made or put to use. There is nothing to retry: the names or the build are wrong.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate was not made.
    #[error("cannot make a certificate for {0}: {1}")]
    Certificate(String, rcgen::Error),
    /// TLS does not take the certificate.
    #[error("cannot serve TLS with the lab's certificate: {0}")]
    Tls(#[from] rustls::Error),
}

// === impl Authority ===

impl Authority {
    /// A new authority called `name`, good for 30 days.
    pub fn new(name: &str) -> Result<Self, PkiError> {
        let failed = |error| PkiError::Certificate(name.to_owned(), error);
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        limit_to_a_month(&mut params);
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) })
    }

    /// The authority's certificate in PEM, for `SSL_CERT_FILE` and kubeconfigs.
    pub fn ca_pem(&self) -> &str {
        &self.pem
    }

    /// The authority's certificate in DER.
    pub fn ca_der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// A server certificate for these DNS names (`*.` allowed) and IP addresses.
    pub fn issue<S: AsRef<str>>(&self, names: &[S]) -> Result<Leaf, PkiError> {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let joined = names.join(", ");
        let failed = |error| PkiError::Certificate(joined.clone(), error);
        let mut params = CertificateParams::new(names.clone()).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("lab", String::as_str));
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        limit_to_a_month(&mut params);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Leaf {
            chain: vec![certificate.der().clone(), self.der.clone()],
            certificate_pem: certificate.pem(),
            key,
        })
    }
}

// === impl Leaf ===

impl Leaf {
    /// TLS settings of a server that shows this certificate: HTTP/1.1, TLS 1.2 and 1.3.
    pub fn server_config(&self) -> Result<ServerConfig, PkiError> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The certificate in PEM, without the authority's.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }
}

/// From yesterday, for clocks that are slow, until 30 days from now.
fn limit_to_a_month(params: &mut CertificateParams) {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    let day = |days: i32| {
        let date = now.saturating_add(days.days()).date();
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(-1);
    params.not_after = day(30);
}
