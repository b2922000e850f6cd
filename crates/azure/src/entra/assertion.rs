//! How is the assertion written that a certificate's owner sends instead of a secret?
//!
//! A JWT as Entra's page "Certificate credentials" wants it (RFC 7523 §3).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use secrecy::SecretString;
use serde_json::json;

use super::Error;
use super::certificate::{Certificate, Scheme};

/// Long enough for clocks that differ by some minutes, and no longer.
const LIFE: Duration = Duration::from_mins(10);
const SKEW: Duration = Duration::from_mins(5);

/// Signs an assertion of the application `client_id` for the token endpoint `audience`.
pub(super) fn sign(
    certificate: &Certificate,
    client_id: &str,
    audience: &str,
    now: Timestamp,
) -> Result<SecretString, Error> {
    let (algorithm, encoding): (_, &dyn RsaEncoding) = match certificate.scheme() {
        Scheme::Ps256 => ("PS256", &RSA_PSS_SHA256),
        Scheme::Rs256 => ("RS256", &RSA_PKCS1_SHA256),
    };
    let (thumbprint_name, thumbprint) = certificate.thumbprint();
    let header =
        json!({"alg": algorithm, "typ": "JWT", thumbprint_name: thumbprint, "x5c": certificate.chain()});
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let claims = json!({
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": uuid::Uuid::new_v4().to_string(),
        "nbf": now.as_second() - seconds(SKEW),
        "iat": now.as_second(),
        "exp": now.as_second() + seconds(LIFE),
    });
    let mut token = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = certificate.key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(encoding, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| Error::Proof("the certificate's key cannot sign".to_owned()))?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
    };
    use secrecy::ExposeSecret;
    use serde_json::Value;

    use super::*;

    const PEM: &[u8] = include_bytes!("testdata/certificate.pem");
    const AUDIENCE: &str = "https://login.microsoftonline.com/t/oauth2/token";

    fn signed(scheme: Scheme) -> (Certificate, String) {
        let certificate = Certificate::from_pem(PEM, scheme).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let token = sign(&certificate, "app", AUDIENCE, now).unwrap();
        (certificate, token.expose_secret().to_owned())
    }

    fn part(token: &str, index: usize) -> Value {
        let text = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn signatures_verify_with_the_certificates_key() {
        let cases: [(Scheme, &str, &dyn VerificationAlgorithm); 2] = [
            (Scheme::Ps256, "PS256", &RSA_PSS_2048_8192_SHA256),
            (Scheme::Rs256, "RS256", &RSA_PKCS1_2048_8192_SHA256),
        ];
        for (scheme, name, algorithm) in cases {
            let (certificate, token) = signed(scheme);
            let (message, signature) = token.rsplit_once('.').unwrap();
            let key = UnparsedPublicKey::new(algorithm, certificate.key().public().as_ref());
            key.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
            let header = part(&token, 0);
            assert_eq!(header["alg"], name);
            let (field, thumbprint) = certificate.thumbprint();
            assert_eq!(header[field], *thumbprint);
            assert_eq!(header["x5c"].as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn claims_name_the_application_and_the_endpoint_for_minutes_only() {
        let (_, token) = signed(Scheme::Ps256);
        let claims = part(&token, 1);
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&json!("app"), &json!("app"), &json!(AUDIENCE))
        );
        assert_eq!(claims["nbf"], 1_700_000_000 - 300);
        assert_eq!(claims["exp"], 1_700_000_000 + 600);
    }

    #[test]
    fn no_two_assertions_have_the_same_id() {
        let ids =
            [signed(Scheme::Ps256).1, signed(Scheme::Ps256).1].map(|token| part(&token, 1)["jti"].clone());
        assert_ne!(ids[0], ids[1]);
    }
}
