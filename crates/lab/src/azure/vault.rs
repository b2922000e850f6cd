//! How does a key vault answer? Challenge, bearer, role, secret.
//!
//! Source: "Authentication, requests and responses" and "Get Secret" of the Key Vault REST reference.

use http::Method;
use serde_json::json;

use super::Azure;
use super::call::Call;
use super::names::VAULT_DOMAIN;
use super::reply::Reply;
use super::state::State;
use super::token::{Bearer, Rejected, check};

const AUDIENCE: &str = "https://vault.azure.net";
const GET_SECRET: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";

/// Answers one request to `NAME.vault.azure.net`.
pub(crate) fn answer(azure: &Azure, call: &Call) -> Reply {
    decide(azure, call).unwrap_or_else(|refusal| refusal).header("x-ms-keyvault-service-version", "1.9.0")
}

fn decide(azure: &Azure, call: &Call) -> Result<Reply, Reply> {
    let tenant = azure.tenant();
    let bearer = authenticate(azure, call, &tenant)?;
    if call.query.first("api-version").unwrap_or_default().is_empty() {
        return Err(error(400, "BadParameter", "api-version must be specified"));
    }
    let segments = call.segments();
    let (name, version) = match segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["secrets", name] => ((*name).to_owned(), None),
        ["secrets", name, version] => ((*name).to_owned(), Some((*version).to_owned())),
        _ => return Err(error(404, "NotFound", "No such resource in this key vault")),
    };
    if call.method != Method::GET {
        return Err(error(405, "MethodNotAllowed", "The lab's key vaults are read-only"));
    }
    get_secret(&azure.lock(), call, &bearer, &name, version.as_deref())
}

/// Whose request it is; without a good token a 401 that says where to get one.
fn authenticate(azure: &Azure, call: &Call, tenant: &str) -> Result<Bearer, Reply> {
    let challenge = |message: &str| {
        let header = format!(
            "Bearer authorization=\"https://login.microsoftonline.com/{tenant}\", resource=\"{AUDIENCE}\""
        );
        error(401, "Unauthorized", message).header("www-authenticate", header)
    };
    let token =
        call.bearer().ok_or_else(|| challenge("AKV10000: Request is missing a Bearer or PoP token."))?;
    check(&azure.inner.signer, tenant, &[AUDIENCE], token, call.now).map_err(|why| match why {
        Rejected::Signature(_) => {
            challenge("AKV10046: Unable to resolve the key used for signature validation.")
        }
        Rejected::Issuer(found) => challenge(&format!(
            "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{tenant}/, found {found}."
        )),
        Rejected::Audience(found) => {
            challenge(&format!("AKV10022: Invalid audience. Expected {AUDIENCE}, found: {found}."))
        }
        Rejected::Expired(_) => challenge("[TokenExpired] Error validating token: IDX10223"),
    })
}

fn get_secret(
    state: &State,
    call: &Call,
    bearer: &Bearer,
    name: &str,
    version: Option<&str>,
) -> Result<Reply, Reply> {
    let host = call.host.strip_suffix(VAULT_DOMAIN).unwrap_or_default();
    let vault =
        state.vaults.get(host).ok_or_else(|| error(404, "VaultNotFound", "No key vault has this name"))?;
    let scope = vault.id.child("secrets", name);
    if !state.roles.allow_data(&bearer.principal_id, GET_SECRET, &scope) {
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or \
             role definitions were changed recently, please observe propagation time.\r\nCaller: appid={};oid={}\r\n\
             Action: '{GET_SECRET}'\r\nResource: '{scope}'\r\nAssignment: (not found)",
            bearer.client_id, bearer.principal_id
        );
        let body = json!({"error": {
            "code": "Forbidden", "message": message, "innererror": {"code": "ForbiddenByRbac"},
        }});
        return Err(Reply::json(403, &body).detail(format!("{} may not read it", bearer.client_id)));
    }
    let secret = vault.get(name, version).ok_or_else(|| {
        let message = format!("A secret with (name/id) {name} was not found in this key vault.");
        error(404, "SecretNotFound", &message)
    })?;
    let created = secret.created.as_second();
    let body = json!({
        "value": secret.value,
        "id": format!("https://{}/secrets/{name}/{}", call.host, secret.id),
        "attributes": {
            "enabled": true, "created": created, "updated": created,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
        },
        "tags": {},
    });
    Ok(Reply::json(200, &body).detail(format!("read by {}", bearer.client_id)))
}

/// An error on demand.
pub(crate) fn fault(status: u16, code: Option<&str>, message: &str) -> Reply {
    let usual = match status {
        403 => "Forbidden",
        404 => "SecretNotFound",
        429 => "Throttled",
        _ => "InternalError",
    };
    error(status, code.unwrap_or(usual), message)
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"error": {"code": code, "message": message}});
    Reply::json(status, &body).detail(format!("{code}: {message}"))
}
