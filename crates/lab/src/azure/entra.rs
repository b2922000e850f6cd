//! How does Entra answer? Discovery, keys, and the token endpoints of both versions.

mod assertion;
mod discovery;
mod error;
mod token;

use http::Method;

use super::Azure;
use super::call::Call;
use super::reply::Reply;
use error::{TENANT_NOT_FOUND, refuse};

pub(crate) use error::fault;

/// The tenant's first domain, which stands for its GUID in a path.
const DOMAIN: &str = "podidlab.onmicrosoft.com";

/// The two generations of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Answers one request to `login.microsoftonline.com`.
pub(crate) fn answer(azure: &Azure, call: &Call) -> Reply {
    let segments = call.segments();
    let path: Vec<_> = segments.iter().map(String::as_str).collect();
    let known = azure.tenant();
    let [tenant, route @ ..] = path.as_slice() else { return Reply::text(404, "not found\n") };
    let ours = tenant.eq_ignore_ascii_case(&known) || tenant.eq_ignore_ascii_case(DOMAIN);
    let any = matches!(*tenant, "common" | "organizations");
    if !ours && !any {
        let text = format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
        return refuse(&TENANT_NOT_FOUND, &text, call.now);
    }
    match (&call.method, route) {
        (&Method::GET, ["v2.0", ".well-known", "openid-configuration"]) => discovery::v2(&known),
        (&Method::GET, [".well-known", "openid-configuration"]) => discovery::v1(&known),
        (&Method::GET, ["discovery", "keys"] | ["discovery", "v2.0", "keys"]) => {
            Reply::json(200, &azure.inner.signer.key_set())
        }
        (&Method::GET, ["discovery", "instance"]) => discovery::instance(&known),
        (&Method::POST, ["oauth2", "token"]) if ours => token::answer(azure, call, Version::V1),
        (&Method::POST, ["oauth2", "v2.0", "token"]) if ours => token::answer(azure, call, Version::V2),
        _ => Reply::text(404, "not found\n"),
    }
}
