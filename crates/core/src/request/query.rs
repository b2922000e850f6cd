//! Which token does this query ask for?

use std::borrow::Cow;

use super::{Selector, TokenRequest};
use crate::ids::{ClientId, IdentityResourceId, PrincipalId};
use crate::refusal::{Cause, Refusal};

/// Longest resource that is asked for upstream, in bytes.
const LONGEST_RESOURCE: usize = 1024;

/// Why a query asks for no token.
pub(super) enum Unfit {
    /// It names no resource, as the probe of an old SDK does (sdk matrix §2, python-2020).
    NoResource(Refusal),
    /// It contradicts itself.
    Wrong(Refusal),
}

/// Reads a query. Names are compared without case, the order is free, and what is unknown
/// (`api-version`, …) decides nothing.
pub(super) fn token(query: &str) -> Result<TokenRequest, Unfit> {
    let (mut resource, mut client, mut arm, mut principal) = (None, None, None, None);
    let mut fresh = false;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let slot = if is("resource") {
            &mut resource
        } else if is("client_id") {
            &mut client
        } else if is("msi_res_id") || is("mi_res_id") {
            &mut arm
        } else if is("object_id") {
            &mut principal
        } else {
            // Another value of it is one that no SDK sends, and no reason to refuse a token.
            fresh |= is("bypass_cache") && value.eq_ignore_ascii_case("true");
            continue;
        };
        if slot.replace(value).is_some() {
            return Err(wrong(format!("The parameter {name} occurs more than once; send it once.")));
        }
    }
    let resource = given(resource).ok_or_else(|| {
        Unfit::NoResource(Refusal::invalid(Cause::NoResource, "parameter resource cannot be empty"))
    })?;
    if resource.len() > LONGEST_RESOURCE {
        return Err(wrong(format!("The parameter resource is longer than {LONGEST_RESOURCE} bytes.")));
    }
    Ok(TokenRequest { resource: resource.into_owned(), selector: selector(client, arm, principal)?, fresh })
}

fn selector(
    client: Option<Cow<'_, str>>,
    arm: Option<Cow<'_, str>>,
    principal: Option<Cow<'_, str>>,
) -> Result<Selector, Unfit> {
    let malformed = |error: crate::ids::InvalidId| wrong(format!("Identity not found: {error}"));
    match (given(client), given(arm), given(principal)) {
        (None, None, None) => Ok(Selector::Any),
        (Some(id), None, None) => ClientId::parse(&id).map(Selector::Client).map_err(malformed),
        (None, Some(id), None) => IdentityResourceId::parse(&id).map(Selector::Resource).map_err(malformed),
        (None, None, Some(id)) => PrincipalId::parse(&id).map(Selector::Principal).map_err(malformed),
        _ => {
            Err(wrong("Only one of client_id, msi_res_id (mi_res_id) and object_id may be sent.".to_owned()))
        }
    }
}

/// A parameter without a value is one that was not sent (peer contract §4.4).
fn given(value: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    value.filter(|value| !value.trim().is_empty())
}

fn wrong(text: String) -> Unfit {
    Unfit::Wrong(Refusal::invalid(Cause::BadQuery, text))
}
