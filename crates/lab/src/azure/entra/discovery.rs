//! Where are the tenant's endpoints and keys? OpenID Connect discovery 1.0, and MSAL's instance discovery.

use serde_json::{Value, json};

use crate::azure::reply::Reply;
use crate::azure::token::issuer;

const HOST: &str = "https://login.microsoftonline.com";

/// The document of the first generation, whose issuer the lab's tokens have.
pub(super) fn v1(tenant: &str) -> Reply {
    Reply::json(200, &document(tenant, &issuer(tenant), "oauth2", "discovery"))
}

/// The document of the second generation.
pub(super) fn v2(tenant: &str) -> Reply {
    Reply::json(200, &document(tenant, &format!("{HOST}/{tenant}/v2.0"), "oauth2/v2.0", "discovery/v2.0"))
}

/// Which host names mean the same cloud.
pub(super) fn instance(tenant: &str) -> Reply {
    Reply::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("{HOST}/{tenant}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": "login.microsoftonline.com",
                "preferred_cache": "login.windows.net",
                "aliases": ["login.microsoftonline.com", "login.windows.net", "sts.windows.net"],
            }],
        }),
    )
}

fn document(tenant: &str, issuer: &str, oauth: &str, discovery: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{HOST}/{tenant}/{oauth}/authorize"),
        "token_endpoint": format!("{HOST}/{tenant}/{oauth}/token"),
        "jwks_uri": format!("{HOST}/{tenant}/{discovery}/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code", "id_token", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    })
}
