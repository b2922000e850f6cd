//! Which token does an application get? The client credentials grant (RFC 6749 §4.4) with secret or assertion.

use serde_json::json;

use super::Version;
use super::assertion::{self, Doubt};
use super::error::{
    Aadsts, BAD_SCOPE, EXPIRED_SECRET, MALFORMED_ASSERTION, MISSING_PARAMETER, NO_APPLICATION, NO_CREDENTIAL,
    NO_RESOURCE, REPEATED_PARAMETER, WRONG_AUDIENCE, WRONG_GRANT, WRONG_SECRET, WRONG_SIGNATURE,
    WRONG_SUBJECT, WRONG_TIME, refuse,
};
use crate::azure::Azure;
use crate::azure::call::{Call, Query, Repeated};
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::state::directory::{Registration, SecretIs};
use crate::azure::token::{Grant, Issued, issue};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why there is no token.
type Refused = (Aadsts, String);

/// Answers a token request.
pub(super) fn answer(azure: &Azure, call: &Call, version: Version) -> Reply {
    let form = call.form();
    let decided = decide(&azure.lock(), call, &form, version);
    let (grant, tenant) = match decided {
        Ok(granted) => granted,
        Err((why, text)) => return refuse(&why, &text, call.now),
    };
    match issue(&azure.inner.signer, &tenant, &grant, call.now) {
        Ok(issued) => render(&issued, &grant, version),
        Err(broken) => super::fault(500, None, &broken.to_string()),
    }
}

fn decide(state: &State, call: &Call, form: &Query, version: Version) -> Result<(Grant, String), Refused> {
    let tenant = state.settings.tenant.clone();
    let grant_type = needed(form, "grant_type")?;
    if grant_type != "client_credentials" {
        return Err((WRONG_GRANT, format!("The app requested an unsupported grant type '{grant_type}'.")));
    }
    let client_id = needed(form, "client_id")?;
    let audience = match version {
        Version::V1 => needed(form, "resource")?.to_owned(),
        Version::V2 => parse_scope(needed(form, "scope")?)?,
    };
    let registration = state.applications.find(client_id).ok_or_else(|| {
        (
            NO_APPLICATION,
            format!("Application with identifier '{client_id}' was not found in the directory '{tenant}'."),
        )
    })?;
    let proof = prove(registration, call, form, &tenant)?;
    if !state.settings.knows_resource(&audience) {
        let text = format!(
            "The resource principal named {audience} was not found in the tenant named {tenant}. This can happen if \
             the application has not been installed by the administrator of the tenant."
        );
        return Err((NO_RESOURCE, text));
    }
    let application = &registration.application;
    let grant = Grant {
        audience,
        client_id: application.client_id.clone(),
        principal_id: application.principal_id.clone(),
        resource_id: None,
        proof,
        lifetime: state.settings.tokens.service_principal,
    };
    Ok((grant, tenant))
}

/// Checks the application's secret or assertion; says which it was, as `appidacr` has it.
fn prove(
    registration: &Registration,
    call: &Call,
    form: &Query,
    tenant: &str,
) -> Result<&'static str, Refused> {
    let client_id = &registration.application.client_id;
    if let Some(secret) = optional(form, "client_secret")? {
        return match registration.judge_secret(secret, call.now) {
            SecretIs::Good => Ok("1"),
            SecretIs::Expired => Err((
                EXPIRED_SECRET,
                format!("The provided client secret keys for app '{client_id}' are expired."),
            )),
            SecretIs::Unknown => Err((
                WRONG_SECRET,
                format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client \
                     secret value, not the client secret ID, for a secret added to app '{client_id}'."
                ),
            )),
        };
    }
    let Some(assertion) = optional(form, "client_assertion")? else {
        let text = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
        return Err((NO_CREDENTIAL, text.to_owned()));
    };
    let kind = needed(form, "client_assertion_type")?;
    if kind != ASSERTION_TYPE {
        return Err((MALFORMED_ASSERTION, format!("The client assertion type '{kind}' is not supported.")));
    }
    assertion::check(registration, assertion, tenant, call.now).map(|()| "2").map_err(|doubt| {
        let (why, text) = match doubt {
            Doubt::Malformed => (MALFORMED_ASSERTION, "JWT token is invalid or malformed."),
            Doubt::UnknownCertificate => (
                WRONG_SIGNATURE,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            ),
            Doubt::Signature => (WRONG_SIGNATURE, "Client assertion failed signature validation."),
            Doubt::Subject => (
                WRONG_SUBJECT,
                "Client assertion application identifier doesn't match 'client_id' parameter.",
            ),
            Doubt::Audience => (WRONG_AUDIENCE, "Client assertion audience claim does not match Realm issuer."),
            Doubt::Time => (WRONG_TIME, "Client assertion is not within its valid time range."),
        };
        (why, text.to_owned())
    })
}

/// The resource of a scope such as `https://vault.azure.net/.default`.
fn parse_scope(scope: &str) -> Result<String, Refused> {
    let mut resources = scope
        .split_whitespace()
        .filter(|scope| !matches!(*scope, "openid" | "profile" | "offline_access"))
        .map(|scope| scope.strip_suffix("/.default"));
    match (resources.next(), resources.next()) {
        (Some(Some(resource)), None) => Ok(resource.to_owned()),
        _ => Err((
            BAD_SCOPE,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                 with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )),
    }
}

fn optional<'a>(form: &'a Query, name: &str) -> Result<Option<&'a str>, Refused> {
    form.one(name).map_err(|Repeated(name)| {
        (REPEATED_PARAMETER, format!("The request body contains the parameter '{name}' more than once."))
    })
}

fn needed<'a>(form: &'a Query, name: &str) -> Result<&'a str, Refused> {
    optional(form, name)?.ok_or_else(|| {
        (MISSING_PARAMETER, format!("The request body must contain the following parameter: '{name}'."))
    })
}

/// The first generation writes numbers as strings and names the resource; the second does neither.
fn render(issued: &Issued, grant: &Grant, version: Version) -> Reply {
    let body = match version {
        Version::V1 => json!({
            "token_type": "Bearer",
            "expires_in": issued.expires_in.to_string(),
            "ext_expires_in": issued.expires_in.to_string(),
            "expires_on": issued.expires_on.to_string(),
            "not_before": issued.not_before.to_string(),
            "resource": grant.audience,
            "access_token": issued.token,
        }),
        Version::V2 => json!({
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "ext_expires_in": issued.expires_in,
            "access_token": issued.token,
        }),
    };
    let detail = format!("token of {} for {}", grant.client_id, grant.audience);
    Reply::json(200, &body).header("cache-control", "no-store").header("pragma", "no-cache").detail(detail)
}
