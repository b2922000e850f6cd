//! Did the simulated tenant sign this token? Signs and checks RS256 JSON web tokens (RFC 7515, RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Map, Value, json};

const LAB_ONLY_KEY: &[u8] = include_bytes!("lab-only-signing-key.pem");

/// The tenant's signing key.
pub(crate) struct Signer {
    key: KeyPair,
    public: PublicKeyComponents<Vec<u8>>,
    id: String,
}

/// A JWT taken apart, its signature not yet checked.
pub(crate) struct Parts<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
}

/// Why a token is not the tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadToken {
    /// Not a JWT.
    Malformed,
    /// Another key or algorithm than the tenant's.
    UnknownKey,
    /// The signature does not fit.
    Signature,
}

/// The committed key is no RSA key in PKCS#8, or ring cannot sign with it: the build is broken.
#[derive(Debug, thiserror::Error)]
#[error(
    "the lab's signing key is unusable; restore lab-only-signing-key.pem from the repository and build again"
)]
pub struct UnusableKey;

// === impl Signer ===

impl Signer {
    pub(crate) fn lab_only() -> Result<Self, UnusableKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(LAB_ONLY_KEY).map_err(|_| UnusableKey)?;
        let key = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| UnusableKey)?;
        let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
        let id = URL_SAFE_NO_PAD.encode(&digest(&SHA256, &public.n).as_ref()[..20]);
        Ok(Self { key, public, id })
    }

    /// The compact form of a token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, UnusableKey> {
        let header = json!({"typ": "JWT", "alg": "RS256", "x5t": self.id, "kid": self.id});
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| UnusableKey)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token that this key signed. Audience, issuer and expiry are for the caller to judge.
    pub(crate) fn verify(&self, token: &str) -> Result<Map<String, Value>, BadToken> {
        let parts = parse(token).ok_or(BadToken::Malformed)?;
        let named = |name: &str| parts.header.get(name).and_then(Value::as_str);
        if named("alg") != Some("RS256") || named("kid") != Some(&self.id) {
            return Err(BadToken::UnknownKey);
        }
        self.public
            .verify(&RSA_PKCS1_2048_8192_SHA256, parts.signed.as_bytes(), &parts.signature)
            .map_err(|_| BadToken::Signature)?;
        Ok(parts.claims)
    }

    /// The public key as a JSON web key set (RFC 7517).
    pub(crate) fn key_set(&self) -> Value {
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "x5t": self.id,
            "n": URL_SAFE_NO_PAD.encode(&self.public.n),
            "e": URL_SAFE_NO_PAD.encode(&self.public.e),
        }]})
    }
}

/// Takes a compact JWT apart.
pub(crate) fn parse(token: &str) -> Option<Parts<'_>> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let object = |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    Some(Parts {
        header: object(header)?,
        claims: object(claims)?,
        signed,
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_its_own_tokens_and_no_others() {
        let signer = Signer::lab_only().unwrap();
        let token = signer.sign(&json!({"oid": "me"})).unwrap();
        assert_eq!(signer.verify(&token).unwrap()["oid"], "me");

        let (head, signature) = token.rsplit_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(json!({"oid": "someone"}).to_string());
        let header = head.split_once('.').unwrap().0;
        assert_eq!(signer.verify(&format!("{header}.{forged}.{signature}")), Err(BadToken::Signature));

        let unsigned = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
        assert_eq!(signer.verify(&format!("{unsigned}.{forged}.")), Err(BadToken::UnknownKey));
        assert_eq!(signer.verify("not a token"), Err(BadToken::Malformed));
    }

    #[test]
    fn publishes_the_key_that_verifies() {
        let signer = Signer::lab_only().unwrap();
        let set = signer.key_set();
        let number = |name: &str| URL_SAFE_NO_PAD.decode(set["keys"][0][name].as_str().unwrap()).unwrap();
        let public = PublicKeyComponents { n: number("n"), e: number("e") };
        let token = signer.sign(&json!({})).unwrap();
        let parts = parse(&token).unwrap();
        public.verify(&RSA_PKCS1_2048_8192_SHA256, parts.signed.as_bytes(), &parts.signature).unwrap();
    }
}
