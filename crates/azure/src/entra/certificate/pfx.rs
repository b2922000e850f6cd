//! Which key and certificates does a PKCS#12 (PFX) file hold?

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::{Certificate, Scheme, Unusable, unusable};

/// Reads what OpenSSL 1 and 3, Windows and Key Vault write: RC2, triple DES or AES, with or without MAC.
pub(super) fn read(
    bytes: &[u8],
    password: Option<&SecretString>,
    scheme: Scheme,
) -> Result<Certificate, Unusable> {
    let archive = open(bytes, password.map_or("", |password| password.expose_secret()))?;
    let Some(key) = archive.keys.first() else {
        return Err(unusable("is a PKCS#12 file that holds no private key"));
    };
    if archive.keys.len() > 1 {
        return Err(unusable(
            "is a PKCS#12 file with several private keys; store one key with its certificate",
        ));
    }
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.key.as_der()));
    let chain = archive.certs.iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec()));
    Certificate::assemble(&key, chain.collect(), scheme)
}

/// Editors and `echo` leave a line end behind a password.
fn open(bytes: &[u8], password: &str) -> Result<Pkcs12Archive, Unusable> {
    let trimmed = password.trim_end_matches(['\r', '\n']);
    let opened = match Pkcs12Archive::from_pkcs12(bytes, password) {
        Err(Error::MacError(_)) if trimmed != password => Pkcs12Archive::from_pkcs12(bytes, trimmed),
        opened => opened,
    };
    opened.map_err(|error| match error {
        // Without a MAC a wrong password shows as rubbish.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Unusable::Password,
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm | Error::InvalidParameters => {
            unusable(
                "is a PKCS#12 file protected in a way that is not supported; export it anew with OpenSSL 3",
            )
        }
        _ => unusable("is damaged: it is no whole PKCS#12 file"),
    })
}
