//! Is an object complete, so that podid can do something with it?
//!
//! The same as [`facts`](crate::facts) asks of it, said to whoever writes it instead of in a log.

use serde_json::Value;

use super::{On, Policy, Rule};

/// A GUID, or a domain name: nothing that leaves its segment of an authority's URL (W-03).
const TENANT: &str = "^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\\.)+[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)$";

/// Objects that go away are not worth a word.
const NOT_GOING: [(&str, &str); 1] = [("is-not-being-deleted", "!has(object.metadata.deletionTimestamp)")];

/// Of an `AzureIdentity`.
pub(super) fn identity() -> Vec<Value> {
    let tenant = |value: &str| format!("({value}.size() <= 253 && {value}.matches(r'{TENANT}'))");
    let rules = vec![
        Rule::new(
            "variables.type != 0 || variables.resourceID != ''",
            "spec.resourceID is missing: a managed identity (type 0, also when no type is given) needs it, such as /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME; 'az identity show --query id' prints it",
        ),
        Rule::new(
            "variables.clientID.trim() != ''",
            "spec.clientID is missing: write the identity's client (application) id, such as 0b1f4c9e-6b0e-4c8a-9a52-2f3d5a7c9e10; 'az identity show --query clientId' prints that of a managed identity",
        ),
        Rule::new(
            "!variables.isPrincipal || variables.tenantID != ''",
            "spec.tenantID is missing: a service principal (type 1 or 2) needs its tenant, a GUID or a domain such as contoso.onmicrosoft.com",
        ),
        Rule::new(
            format!("!variables.isPrincipal || variables.tenantID == '' || {}", tenant("variables.tenantID")),
            "spec.tenantID is neither a GUID nor a domain: write the service principal's own tenant, such as contoso.onmicrosoft.com; names like 'common' have no tokens for applications",
        ),
        Rule::new(
            format!("!variables.isPrincipal || dyn(variables.auxiliary) == null || variables.auxiliary.all(tenant, {})", tenant("tenant")),
            "spec.auxiliaryTenantIDs has an entry that is neither a GUID nor a domain such as contoso.onmicrosoft.com",
        ),
        Rule::new(
            "!variables.isPrincipal || variables.secret != ''",
            "spec.clientPassword.name is missing: a service principal (type 1 or 2) needs the name of a Secret in its own namespace, such as clientPassword: {name: my-credential}",
        ),
        Rule::new(
            "!variables.isPrincipal || variables.secretNamespace == '' || variables.secretNamespace == request.namespace",
            "spec.clientPassword.namespace is another one: the Secret must be in the identity's own namespace",
        )
        .detailed(
            "'spec.clientPassword.namespace is ' + variables.secretNamespace + ': the Secret must be in the namespace of the identity, ' + request.namespace + '; move it there, or leave the field out if it is there'",
        ),
        Rule::new(
            "!variables.isPrincipal || variables.adEndpoint == '' || (isURL(variables.adEndpoint) && url(variables.adEndpoint).getScheme() == 'https' && url(variables.adEndpoint).getHostname() != '' && size(url(variables.adEndpoint).getQuery()) == 0 && !variables.adEndpoint.contains('@'))",
            "spec.adEndpoint must be a plain https address such as https://login.microsoftonline.us/; leave it out to use the cloud's own",
        ),
    ];
    let text = |path: &str| format!("object.?spec.?{path}.orValue('')");
    let variables = vec![
        ("type", "object.?spec.?type.orValue(0)".to_owned()),
        ("isPrincipal", "variables.type in [1, 2]".to_owned()),
        ("resourceID", text("resourceID")),
        ("clientID", text("clientID")),
        ("tenantID", text("tenantID")),
        ("auxiliary", "object.?spec.?auxiliaryTenantIDs.orValue([])".to_owned()),
        ("secret", text("clientPassword.?name")),
        ("secretNamespace", text("clientPassword.?namespace")),
        ("adEndpoint", text("adEndpoint")),
    ];
    bound(&Policy {
        name: "podid-identity-fields",
        on: vec![On::ours("azureidentities")],
        conditions: &NOT_GOING,
        variables,
        rules,
    })
}

/// Of an `AzureIdentityBinding`. That its selector is not empty is a rule of the definition.
pub(super) fn binding() -> Vec<Value> {
    let rules = vec![
        Rule::new(
            "object.?spec.?azureIdentity.orValue('') != ''",
            "spec.azureIdentity is missing: write the name of an AzureIdentity in the binding's own namespace",
        ),
        Rule::new(
            "object.?spec.?selector.orValue('') != ''",
            "spec.selector is missing: write the value that the pods' label aadpodidbinding has, such as my-app",
        ),
    ];
    bound(&Policy {
        name: "podid-binding-fields",
        on: vec![On::ours("azureidentitybindings")],
        conditions: &NOT_GOING,
        variables: Vec::new(),
        rules,
    })
}

/// Of an `AzurePodIdentityException`. That its labels are not empty is a rule of the definition.
pub(super) fn exception() -> Vec<Value> {
    let rules = vec![Rule::new(
        "has(object.spec) && has(object.spec.podLabels) && size(object.spec.podLabels) > 0",
        "spec.podLabels is missing: an exception needs at least one label of the pods that it excepts, such as podLabels: {app: my-app}",
    )];
    bound(&Policy {
        name: "podid-exception-fields",
        on: vec![On::ours("azurepodidentityexceptions")],
        conditions: &NOT_GOING,
        variables: Vec::new(),
        rules,
    })
}

/// What is new is refused. What is there already may have been stored before there were rules, and
/// must stay editable, step by step; so it is warned about.
fn bound(policy: &Policy<'_>) -> Vec<Value> {
    vec![
        policy.object(),
        policy.bound("-create", &["CREATE"], &["Deny", "Audit"]),
        policy.bound("-update", &["UPDATE"], &["Warn", "Audit"]),
    ]
}
