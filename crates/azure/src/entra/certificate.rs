//! Which certificate and key does a Secret hold?

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest;
use ring::signature::RsaKeyPair;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

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
    scheme: Scheme,
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
    /// Reads PEM: an RSA key (PKCS#8 or PKCS#1, 2048 to 4096 bit, not encrypted), its certificate and
    /// any issuers, in any order.
    pub fn from_pem(pem: &[u8], scheme: Scheme) -> Result<Self, Error> {
        let unusable = |problem: &str| Error::Proof(problem.to_owned());
        if pem.first() == Some(&0x30) {
            return Err(unusable(
                "the certificate is PKCS#12 (PFX); convert it: openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem",
            ));
        }
        if pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            return Err(unusable("the certificate's key is encrypted; store it without a passphrase"));
        }
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| unusable("the certificate's PEM holds no private key (PKCS#8 or PKCS#1)"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(unusable("the certificate's key is not an RSA key")),
        }
        .map_err(|error| Error::Proof(format!("the certificate's key is not a usable RSA key: {error}")))?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|_| unusable("a certificate in the PEM is damaged"))?;
        let chain = leaf_first(chain, key.public().as_ref())
            .ok_or_else(|| unusable("no certificate in the PEM belongs to its private key"))?;
        Ok(Self { inner: Arc::new(Inner { key, chain, scheme }) })
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

const ENCRYPTED: &[u8] = b"ENCRYPTED";

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

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = include_str!("testdata/certificate.pem");
    const OTHER: &str = include_str!("testdata/other-certificate.pem");

    fn problem(pem: &[u8]) -> String {
        Certificate::from_pem(pem, Scheme::Ps256).unwrap_err().to_string()
    }

    #[test]
    fn finds_the_certificate_of_the_key_wherever_it_stands() {
        let alone = Certificate::from_pem(PEM.as_bytes(), Scheme::Ps256).unwrap();
        let after_issuer = format!("{OTHER}{PEM}");
        let both = Certificate::from_pem(after_issuer.as_bytes(), Scheme::Ps256).unwrap();
        assert_eq!(both.thumbprint(), alone.thumbprint());
        assert_eq!((alone.chain().len(), both.chain().len()), (1, 2));
        assert_eq!(alone.chain()[0], both.chain()[0]);
    }

    #[test]
    fn thumbprints_are_those_of_openssl() {
        let modern = Certificate::from_pem(PEM.as_bytes(), Scheme::Ps256).unwrap();
        let old = Certificate::from_pem(PEM.as_bytes(), Scheme::Rs256).unwrap();
        // openssl x509 -outform der | openssl dgst -sha256 -binary | basenc --base64url
        assert_eq!(modern.thumbprint(), ("x5t#S256", include_str!("testdata/sha256.txt").trim().to_owned()));
        assert_eq!(old.thumbprint(), ("x5t", include_str!("testdata/sha1.txt").trim().to_owned()));
    }

    /// W-39.
    #[test]
    fn what_cannot_be_used_is_said_with_the_remedy() {
        assert!(problem(&[0x30, 0x82, 0x01]).contains("openssl pkcs12"));
        assert!(problem(b"").contains("no private key"));
        assert!(problem(OTHER.as_bytes()).contains("no private key"));
        assert!(problem(b"-----BEGIN ENCRYPTED PRIVATE KEY-----").contains("passphrase"));
        let key_only = PEM.split("-----BEGIN CERTIFICATE-----").next().unwrap();
        assert!(problem(key_only.as_bytes()).contains("no certificate"));
        assert!(problem(format!("{key_only}{OTHER}").as_bytes()).contains("no certificate"));
    }

    #[test]
    fn debug_shows_no_key() {
        let certificate = Certificate::from_pem(PEM.as_bytes(), Scheme::Ps256).unwrap();
        assert!(format!("{certificate:?}").starts_with("Certificate { thumbprint: "));
    }
}
