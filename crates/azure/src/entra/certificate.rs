//! Which certificate and key does a Secret hold?

mod pfx;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::digest;
use ring::signature::RsaKeyPair;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;

use super::Error;

/// A certificate with its chain and RSA key. Cheap to clone; `Debug` shows the thumbprint only.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<Inner>,
}

struct Inner {
    key: RsaKeyPair,
    /// The certificate itself first, then its issuers.
    chain: Vec<CertificateDer<'static>>,
    expires: Timestamp,
    scheme: Scheme,
}

/// Why a certificate cannot be used: its owner has to replace something. Each text goes on from
/// "the certificate …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The password is another one.
    #[error("is a PKCS#12 file that this password does not open")]
    Password,
    /// What is there is not what is needed.
    #[error("{0}")]
    Content(String),
    /// Its time is over.
    #[error("expired at {0}; make a new one, register it with the application and store it with its key")]
    Expired(Timestamp),
}

/// How assertions are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// PS256 with the certificate's SHA-256 thumbprint, which Entra asks for.
    #[default]
    Ps256,
    /// RS256 with the SHA-1 thumbprint, for older authorities (ADFS).
    Rs256,
}

// === impl Certificate ===

impl Certificate {
    /// Reads PKCS#12 (PFX), opened by `password`, or PEM, in which no password is looked for. Opening PKCS#12 can take
    /// seconds of computing, as its maker chose.
    pub fn read(bytes: &[u8], password: Option<&SecretString>, scheme: Scheme) -> Result<Self, Unusable> {
        // A file in DER begins with a sequence, which no text does.
        if bytes.first() == Some(&0x30) {
            pfx::read(bytes, password, scheme)
        } else {
            Self::from_pem(bytes, scheme)
        }
    }

    /// Reads PEM: an RSA key (PKCS#8 or PKCS#1, 2048 to 4096 bit, not encrypted), its certificate and
    /// any issuers, in any order.
    pub fn from_pem(pem: &[u8], scheme: Scheme) -> Result<Self, Unusable> {
        if pem.trim_ascii().is_empty() {
            return Err(unusable("is empty"));
        }
        if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return Err(unusable("is neither PEM nor PKCS#12 (PFX)"));
        }
        if pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            return Err(unusable("has an encrypted key in PEM; store the key without a passphrase"));
        }
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| unusable("holds no private key (PKCS#8 or PKCS#1 in PEM)"))?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|_| unusable("is damaged: a certificate in its PEM cannot be read"))?;
        Self::assemble(&key, chain, scheme)
    }

    fn assemble(
        key: &PrivateKeyDer<'_>,
        chain: Vec<CertificateDer<'static>>,
        scheme: Scheme,
    ) -> Result<Self, Unusable> {
        let is_curve = key.secret_der().windows(ELLIPTIC_CURVE.len()).any(|window| window == ELLIPTIC_CURVE);
        let key = match key {
            PrivateKeyDer::Pkcs8(der) if !is_curve => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(unusable("has a key that is not RSA; Entra takes RSA keys of 2048 to 4096 bit")),
        }
        .map_err(|error| Unusable::Content(format!("has no usable RSA key of 2048 to 4096 bit: {error}")))?;
        let chain = leaf_first(chain, key.public().as_ref())
            .ok_or_else(|| unusable("comes without the certificate of its private key"))?;
        let leaf = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let expires = x509_parser::parse_x509_certificate(leaf)
            .ok()
            .and_then(|(_, leaf)| Timestamp::from_second(leaf.validity().not_after.timestamp()).ok())
            .ok_or_else(|| unusable("is damaged: it does not say how long it is valid"))?;
        Ok(Self { inner: Arc::new(Inner { key, chain, expires, scheme }) })
    }

    /// Whether its time is not over at `now`.
    pub fn check(&self, now: Timestamp) -> Result<(), Unusable> {
        if now <= self.inner.expires { Ok(()) } else { Err(Unusable::Expired(self.inner.expires)) }
    }

    pub(super) fn key(&self) -> &RsaKeyPair {
        &self.inner.key
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.inner.scheme
    }

    /// The header `x5t` or `x5t#S256` of an assertion.
    pub(super) fn thumbprint(&self) -> (&'static str, String) {
        let (name, algorithm) = match self.inner.scheme {
            Scheme::Ps256 => ("x5t#S256", &digest::SHA256),
            Scheme::Rs256 => ("x5t", &digest::SHA1_FOR_LEGACY_USE_ONLY),
        };
        let leaf = self.inner.chain.first().map(AsRef::as_ref).unwrap_or_default();
        (name, URL_SAFE_NO_PAD.encode(digest::digest(algorithm, leaf)))
    }

    /// The header `x5c`, by which Entra can trust the issuer instead of this one certificate.
    pub(super) fn chain(&self) -> Vec<String> {
        self.inner.chain.iter().map(|certificate| STANDARD.encode(certificate)).collect()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, thumbprint) = self.thumbprint();
        f.debug_struct("Certificate").field("thumbprint", &thumbprint).finish_non_exhaustive()
    }
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        Self::Proof(format!("the certificate {unusable}"))
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";

const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// The object identifier of elliptic-curve keys, 1.2.840.10045.2.1, in DER (RFC 5480 §2.1.1).
const ELLIPTIC_CURVE: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

fn unusable(text: &str) -> Unusable {
    Unusable::Content(text.to_owned())
}

/// Puts the certificate that carries `public_key` first. The key appears in it as it is in DER, so no
/// parser of certificates is needed to find it.
fn leaf_first(
    mut chain: Vec<CertificateDer<'static>>,
    public_key: &[u8],
) -> Option<Vec<CertificateDer<'static>>> {
    let carries = |der: &CertificateDer<'_>| der.windows(public_key.len()).any(|window| window == public_key);
    let leaf = chain.iter().position(carries)?;
    chain[..=leaf].rotate_right(1);
    Some(chain)
}
