//! What is in a token, and does the tenant believe it when it comes back?

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::later;
use super::id::fresh_guid;
use super::jwt::{BadToken, Signer, UnusableKey};

/// A decision to hand out a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) audience: String,
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
    /// The managed identity's resource id, in its usual claim.
    pub(crate) resource_id: Option<String>,
    /// `appidacr`: 1 for a secret, 2 for a certificate.
    pub(crate) proof: &'static str,
    pub(crate) lifetime: Duration,
}

/// A signed token and its times in seconds since 1970.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) not_before: i64,
    pub(crate) expires_on: i64,
    pub(crate) expires_in: i64,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
}

/// Why a token is not good here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// The tenant did not sign it.
    Signature(BadToken),
    /// Another tenant issued it.
    Issuer(String),
    /// It is for another resource.
    Audience(String),
    /// Its time is over, at this moment.
    Expired(i64),
}

/// The issuer of the tenant's tokens.
pub(crate) fn issuer(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// Signs the token of a grant. It is valid from five minutes ago, for clocks that are slow.
pub(crate) fn issue(
    signer: &Signer,
    tenant: &str,
    grant: &Grant,
    now: Timestamp,
) -> Result<Issued, UnusableKey> {
    let (not_before, expires_on) = (now.as_second() - 300, later(now, grant.lifetime).as_second());
    let issuer = issuer(tenant);
    let mut claims = json!({
        "aud": grant.audience, "iss": issuer, "iat": not_before, "nbf": not_before, "exp": expires_on,
        "appid": grant.client_id, "appidacr": grant.proof, "idp": issuer, "idtyp": "app",
        "oid": grant.principal_id, "sub": grant.principal_id, "tid": tenant, "uti": fresh_guid(), "ver": "1.0",
    });
    if let Some(id) = &grant.resource_id {
        claims["xms_mirid"] = Value::from(id.as_str());
    }
    let token = signer.sign(&claims)?;
    Ok(Issued { token, not_before, expires_on, expires_in: expires_on - now.as_second() })
}

/// Whose token it is, if the tenant signed it for one of these audiences and it is still good.
pub(crate) fn check(
    signer: &Signer,
    tenant: &str,
    audiences: &[&str],
    token: &str,
    now: Timestamp,
) -> Result<Bearer, Rejected> {
    let claims = signer.verify(token).map_err(Rejected::Signature)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("iss") != issuer(tenant) {
        return Err(Rejected::Issuer(text("iss")));
    }
    if !audiences.contains(&text("aud").as_str()) {
        return Err(Rejected::Audience(text("aud")));
    }
    let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
    if expires <= now.as_second() {
        return Err(Rejected::Expired(expires));
    }
    Ok(Bearer { client_id: text("appid"), principal_id: text("oid") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "72f988bf-0000-4000-8000-00001ab00001";
    const VAULT: &str = "https://vault.azure.net";

    fn grant() -> Grant {
        Grant {
            audience: VAULT.into(),
            client_id: "client".into(),
            principal_id: "principal".into(),
            resource_id: Some("/subscriptions/s".into()),
            proof: "2",
            lifetime: Duration::from_hours(1),
        }
    }

    #[test]
    fn a_token_is_good_for_its_audience_and_tenant_until_it_expires() {
        let signer = Signer::lab_only().unwrap();
        let now = Timestamp::now();
        let issued = issue(&signer, TENANT, &grant(), now).unwrap();
        assert_eq!((issued.expires_in, issued.expires_on), (3600, now.as_second() + 3600));
        let check = |tenant, audience, now| check(&signer, tenant, &[audience], &issued.token, now);

        let bearer = check(TENANT, VAULT, now).unwrap();
        assert_eq!(bearer, Bearer { client_id: "client".into(), principal_id: "principal".into() });
        assert_eq!(check(TENANT, "https://other", now), Err(Rejected::Audience(VAULT.into())));
        assert_eq!(check("other", VAULT, now), Err(Rejected::Issuer(issuer(TENANT))));
        let then = later(now, Duration::from_hours(1));
        assert_eq!(check(TENANT, VAULT, then), Err(Rejected::Expired(issued.expires_on)));
    }

    #[test]
    fn a_managed_identitys_token_names_its_resource() {
        let signer = Signer::lab_only().unwrap();
        let issued = issue(&signer, TENANT, &grant(), Timestamp::now()).unwrap();
        let claims = signer.verify(&issued.token).unwrap();
        for name in
            ["aud", "iss", "iat", "nbf", "exp", "appid", "oid", "tid", "sub", "xms_mirid", "ver", "idtyp"]
        {
            assert!(claims.contains_key(name), "{name}");
        }
        assert_eq!(claims["oid"], claims["sub"]);
    }
}
