//! Which token does a machine get? `GET /metadata/identity/oauth2/token`.

use serde_json::json;

use super::select::{NotSelected, Selected, Selector, select};
use super::{Form, check_version, error, one};
use crate::azure::Azure;
use crate::azure::call::Call;
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::state::network::Host;
use crate::azure::token::{Grant, Issued, issue};

/// Answers a token request.
pub(super) fn answer(azure: &Azure, call: &Call, host: &Host) -> Reply {
    decide(azure, call, host).unwrap_or_else(|refusal| refusal)
}

fn decide(azure: &Azure, call: &Call, host: &Host) -> Result<Reply, Reply> {
    check_version(call)?;
    let resource = one(call, "resource")?
        .ok_or_else(|| invalid("Required query variable 'resource' is missing"))?
        .to_owned();
    let selector = parse_selector(call)?;
    if one(call, "bypass_cache")?.is_some_and(|value| value != "true") {
        return Err(invalid("Query variable 'bypass_cache' has a value that is not supported"));
    }
    let (tenant, selected, lifetime) = {
        let mut state = azure.lock();
        if let Some(bucket) = state.settings.limits.imds {
            let taken = state.budgets.take(&format!("imds {}", host.id()), bucket, call.now);
            taken.map_err(|_| error(Form::OAuth, 429, "too_many_requests", "Too many requests"))?;
        }
        let selected = select(&state, host, &selector, call.now).map_err(|why| match why {
            NotSelected::NotFound => invalid("Identity not found"),
            NotSelected::Ambiguous => invalid(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the \
                 identity in the token request",
            ),
        })?;
        if !state.settings.knows_resource(&resource) {
            return Err(error(
                Form::OAuth,
                400,
                "invalid_resource",
                &unknown(&resource, &state.settings.tenant),
            ));
        }
        (state.settings.tenant.clone(), selected, state.settings.tokens.managed_identity)
    };
    let grant = Grant {
        audience: resource,
        client_id: selected.client_id.clone(),
        principal_id: selected.principal_id.clone(),
        resource_id: Some(selected.resource.as_compute_writes_it()),
        proof: "2",
        lifetime,
    };
    let issued = issue(&azure.inner.signer, &tenant, &grant, call.now)
        .map_err(|broken| error(Form::OAuth, 500, "server_error", &broken.to_string()))?;
    Ok(render(&issued, &grant.audience, &selected, &selector))
}

/// At most one way to name the identity.
fn parse_selector(call: &Call) -> Result<Selector, Reply> {
    let mut named = Vec::new();
    for (name, selector) in [
        ("client_id", (|id| Selector::ClientId(id)) as fn(String) -> Selector),
        ("object_id", Selector::ObjectId),
        ("msi_res_id", |id| Selector::ResourceId(ArmId::new(id))),
        ("mi_res_id", |id| Selector::ResourceId(ArmId::new(id))),
    ] {
        named.extend(one(call, name)?.map(|value| selector(value.to_owned())));
    }
    match (named.pop(), named.pop()) {
        (_, Some(_)) => Err(invalid("Only one of 'client_id', 'object_id' and 'msi_res_id' can be used")),
        (only, None) => Ok(only.unwrap_or(Selector::Default)),
    }
}

/// All values are strings; `expires_in` comes before `expires_on` as in the real answer.
fn render(issued: &Issued, resource: &str, selected: &Selected, selector: &Selector) -> Reply {
    let mut body = json!({
        "access_token": issued.token,
        "client_id": selected.client_id,
        "expires_in": issued.expires_in.to_string(),
        "expires_on": issued.expires_on.to_string(),
        "ext_expires_in": issued.expires_in.to_string(),
        "not_before": issued.not_before.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    match selector {
        Selector::ObjectId(id) => body["object_id"] = json!(id),
        Selector::ResourceId(id) => body["msi_res_id"] = json!(id.as_str()),
        Selector::Default | Selector::ClientId(_) => {}
    }
    Reply::json(200, &body).detail(format!("token of {} for {resource}", selected.resource.name()))
}

fn unknown(resource: &str, tenant: &str) -> String {
    format!(
        "AADSTS500011: The resource principal named {resource} was not found in the tenant named {tenant}. This can \
         happen if the application has not been installed by the administrator of the tenant or consented to by \
         any user in the tenant. You might have sent your authentication request to the wrong tenant."
    )
}

fn invalid(text: &str) -> Reply {
    error(Form::OAuth, 400, "invalid_request", text)
}
