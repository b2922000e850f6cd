//! Did the application sign this assertion? JWT client authentication (RFC 7523) with a registered certificate.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde_json::Value;
use webpki::EndEntityCert;
use webpki::ring::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256_LEGACY_KEY};

use crate::azure::jwt::{Parts, parse};
use crate::azure::names::ENTRA_HOSTS;
use crate::azure::state::directory::Registration;

use super::DOMAIN;

/// Seconds by which clocks may differ.
const SKEW: i64 = 300;

/// Thumbprints come with and without padding.
const THUMBPRINT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is wrong with an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    Malformed,
    UnknownCertificate,
    Signature,
    Subject,
    Audience,
    Time,
}

/// Checks signature, issuer, subject, audience and time.
pub(super) fn check(
    registration: &Registration,
    assertion: &str,
    tenant: &str,
    now: Timestamp,
) -> Result<(), Doubt> {
    let parts = parse(assertion).ok_or(Doubt::Malformed)?;
    check_signature(registration, &parts)?;
    let text = |name: &str| parts.claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let client_id = &registration.application.client_id;
    if ![text("iss"), text("sub")].iter().all(|subject| subject.eq_ignore_ascii_case(client_id)) {
        return Err(Doubt::Subject);
    }
    if !is_our_endpoint(text("aud"), tenant) {
        return Err(Doubt::Audience);
    }
    let time = |name: &str| parts.claims.get(name).and_then(Value::as_i64);
    let now = now.as_second();
    let begun = time("nbf").is_none_or(|not_before| not_before <= now + SKEW);
    let over = time("exp").is_none_or(|expires| expires <= now - SKEW);
    if begun && !over { Ok(()) } else { Err(Doubt::Time) }
}

fn check_signature(registration: &Registration, parts: &Parts<'_>) -> Result<(), Doubt> {
    let named = |name: &str| parts.header.get(name).and_then(Value::as_str);
    let algorithm = match named("alg") {
        Some("RS256") => RSA_PKCS1_2048_8192_SHA256,
        Some("PS256") => RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        _ => return Err(Doubt::Malformed),
    };
    let thumbprint = named("x5t#S256").or(named("x5t")).ok_or(Doubt::Malformed)?;
    let thumbprint = THUMBPRINT.decode(thumbprint).map_err(|_| Doubt::Malformed)?;
    let certificate = registration.certificate(&thumbprint).ok_or(Doubt::UnknownCertificate)?;
    EndEntityCert::try_from(certificate)
        .and_then(|certificate| {
            certificate.verify_signature(algorithm, parts.signed.as_bytes(), &parts.signature)
        })
        .map_err(|_| Doubt::Signature)
}

/// Whether the audience is the tenant's token endpoint of either version, or the tenant itself.
fn is_our_endpoint(audience: &str, tenant: &str) -> bool {
    let Some((host, path)) = audience.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let Some((named, route)) = path.split_once('/').or(Some((path, ""))) else { return false };
    ENTRA_HOSTS.contains(&host)
        && [tenant, DOMAIN].iter().any(|known| known.eq_ignore_ascii_case(named))
        && matches!(route, "" | "v2.0" | "oauth2/token" | "oauth2/v2.0/token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_a_token_endpoint_of_the_tenant() {
        for (audience, ours) in [
            ("https://login.microsoftonline.com/T/oauth2/token", true),
            ("https://login.microsoftonline.com/t/oauth2/v2.0/token", true),
            ("https://login.microsoftonline.com/t/v2.0", true),
            ("https://login.microsoftonline.com/podidlab.onmicrosoft.com/oauth2/token", true),
            ("https://login.microsoftonline.com/t/", true),
            ("https://login.microsoftonline.com/other/oauth2/token", false),
            ("https://login.microsoftonline.com/t/oauth2/authorize", false),
            ("https://evil.example/t/oauth2/token", false),
            ("http://login.microsoftonline.com/t/oauth2/token", false),
            ("", false),
        ] {
            assert_eq!(is_our_endpoint(audience, "t"), ours, "{audience}");
        }
    }
}
