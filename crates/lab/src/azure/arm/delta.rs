//! What does the `identity` of a PATCH change? Delta semantics: `{}` adds, `null` removes, what is not named stays.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::azure::id::ArmId;
use crate::azure::state::machine::{Identities, IdentityType, Next};

/// A request to change a machine's identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) kind: IdentityType,
    pub(crate) add: Vec<ArmId>,
    pub(crate) remove: Vec<ArmId>,
}

/// Why the request cannot be carried out, whatever the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// The body is no JSON object, or its `identity` is none.
    Body,
    /// `identity.type` is missing or none of the four.
    Type(String),
    /// The type has no user-assigned identities, and the body adds some.
    UsersWithoutType,
    /// The value of a key is neither `{}`, nor `null`, nor what ARM itself returned.
    Value(String),
    /// A key is no id of a user-assigned identity, or appears twice in different letter case.
    Key(String),
    /// The type has user-assigned identities, and none would be left.
    NoneLeft,
}

/// Reads the change of identities out of a PATCH; none where the body does not speak of identities.
pub(crate) fn parse(body: &[u8]) -> Result<Option<Delta>, Invalid> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| Invalid::Body)?;
    let Some(identity) = body.get("identity") else { return Ok(None) };
    let identity = identity.as_object().ok_or(Invalid::Body)?;
    let text = identity.get("type").and_then(Value::as_str).unwrap_or_default();
    let kind = IdentityType::parse(text).ok_or_else(|| Invalid::Type(text.to_owned()))?;
    let mut delta = Delta { kind, add: Vec::new(), remove: Vec::new() };
    let users = match identity.get("userAssignedIdentities") {
        None | Some(Value::Null) => return Ok(Some(delta)),
        Some(users) => users.as_object().ok_or(Invalid::Body)?,
    };
    for (key, value) in users {
        let id = ArmId::new(key.as_str());
        if !is_identity(&id) || delta.add.contains(&id) || delta.remove.contains(&id) {
            return Err(Invalid::Key(key.clone()));
        }
        match value {
            Value::Null => delta.remove.push(id),
            Value::Object(inner) if inner.keys().all(|key| key == "principalId" || key == "clientId") => {
                delta.add.push(id);
            }
            _ => return Err(Invalid::Value(key.clone())),
        }
    }
    if !kind.has_users() && !delta.add.is_empty() {
        return Err(Invalid::UsersWithoutType);
    }
    Ok(Some(delta))
}

// === impl Delta ===

impl Delta {
    /// The identities that the request names.
    pub(crate) fn len(&self) -> usize {
        self.add.len() + self.remove.len()
    }

    /// What a machine with these identities has afterwards.
    pub(crate) fn apply_to(&self, current: &Identities) -> Result<Next, Invalid> {
        let mut next = Next { system: self.kind.has_system(), users: BTreeSet::new() };
        if self.kind.has_users() {
            next.users = current.users.keys().cloned().collect();
            next.users.retain(|id| !self.remove.contains(id));
            next.users.extend(self.add.iter().cloned());
            if next.users.is_empty() {
                return Err(Invalid::NoneLeft);
            }
        }
        Ok(next)
    }
}

fn is_identity(id: &ArmId) -> bool {
    let parts: Vec<_> = id.as_str().split('/').collect();
    let kinds = ["subscriptions", "resourceGroups", "providers", "Microsoft.ManagedIdentity"];
    matches!(parts.as_slice(), ["", subscriptions, sub, groups, group, providers, namespace, kind, name]
        if kinds.iter().zip([subscriptions, groups, providers, namespace]).all(|(a, b)| a.eq_ignore_ascii_case(b))
            && kind.eq_ignore_ascii_case("userAssignedIdentities")
            && [sub, group, name].iter().all(|part| !part.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::state::machine::Attached;
    use jiff::Timestamp;
    use serde_json::json;

    fn id(name: &str) -> String {
        format!(
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        )
    }

    fn machine(system: bool, users: &[&str]) -> Identities {
        let attached =
            Attached { client_id: "c".into(), principal_id: "p".into(), since: Timestamp::UNIX_EPOCH };
        Identities {
            system: system.then(|| attached.clone()),
            users: users.iter().map(|name| (ArmId::new(id(name)), attached.clone())).collect(),
        }
    }

    fn patched(current: &Identities, identity: &Value) -> Result<(bool, Vec<String>), Invalid> {
        let delta = parse(json!({"identity": identity}).to_string().as_bytes())?.unwrap();
        let next = delta.apply_to(current)?;
        Ok((next.system, next.users.iter().map(|id| id.name().to_owned()).collect()))
    }

    #[test]
    fn a_patch_changes_what_it_names_and_the_type_rules_the_rest() {
        let (a, b, upper_a) = (id("a"), id("b"), id("a").to_uppercase());
        let cases = [
            // on the machine, PATCH, result
            (
                (false, &["a"][..]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&b: {}}}),
                (false, "a b"),
            ),
            (
                (false, &["a", "b"]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&b: null}}),
                (false, "a"),
            ),
            (
                (false, &["a"]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&upper_a: {}}}),
                (false, "a"),
            ),
            (
                (false, &["a", "b"]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&upper_a: null}}),
                (false, "b"),
            ),
            (
                (false, &["a"]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&a: null, &b: {}}}),
                (false, "b"),
            ),
            (
                (false, &["a"]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&b: null}}),
                (false, "a"),
            ),
            ((false, &["a"]), json!({"type": "UserAssigned"}), (false, "a")),
            (
                (true, &["a"]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&b: {}}}),
                (false, "a b"),
            ),
            (
                (true, &["a"]),
                json!({"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {&b: {}}}),
                (true, "a b"),
            ),
            ((true, &["a"]), json!({"type": "systemassigned,userassigned"}), (true, "a")),
            ((true, &["a"]), json!({"type": "SystemAssigned"}), (true, "")),
            (
                (true, &["a"]),
                json!({"type": "SystemAssigned", "userAssignedIdentities": {&a: null}}),
                (true, ""),
            ),
            ((false, &[]), json!({"type": "SystemAssigned"}), (true, "")),
            ((true, &["a"]), json!({"type": "None"}), (false, "")),
            (
                (false, &["a"]),
                json!({"type": "UserAssigned", "userAssignedIdentities": {&a: {"principalId": "p", "clientId": "c"}}}),
                (false, "a"),
            ),
        ];
        for ((system, users), patch, (then_system, then_users)) in cases {
            let then: Vec<_> = then_users.split_whitespace().map(str::to_owned).collect();
            assert_eq!(patched(&machine(system, users), &patch), Ok((then_system, then)), "{patch}");
        }
    }

    #[test]
    fn a_patch_that_cannot_be_carried_out_is_named() {
        let (a, upper_a) = (id("a"), id("a").to_uppercase());
        let cases = [
            (json!({"type": "UserAssigned", "userAssignedIdentities": {&a: null}}), Invalid::NoneLeft),
            (json!({"type": "UserAssigned", "userAssignedIdentities": {&a: "x"}}), Invalid::Value(a.clone())),
            (
                json!({"type": "UserAssigned", "userAssignedIdentities": {&a: {"name": "x"}}}),
                Invalid::Value(a.clone()),
            ),
            (json!({"type": "UserAssigned", "userAssignedIdentities": {"x": {}}}), Invalid::Key("x".into())),
            (
                json!({"type": "UserAssigned", "userAssignedIdentities": {&upper_a: {}, &a: {}}}),
                Invalid::Key(a.clone()),
            ),
            (
                json!({"type": "SystemAssigned", "userAssignedIdentities": {&a: {}}}),
                Invalid::UsersWithoutType,
            ),
            (json!({"type": "None", "userAssignedIdentities": {&a: {}}}), Invalid::UsersWithoutType),
            (json!({"type": "Mine"}), Invalid::Type("Mine".into())),
            (json!({"userAssignedIdentities": {&a: {}}}), Invalid::Type(String::new())),
            (json!({"type": "UserAssigned", "userAssignedIdentities": []}), Invalid::Body),
        ];
        for (patch, why) in cases {
            assert_eq!(patched(&machine(false, &["a"]), &patch), Err(why), "{patch}");
        }
        assert_eq!(parse(b"{}"), Ok(None));
        assert_eq!(parse(b"{"), Err(Invalid::Body));
    }
}
