//! What do the functions give that speak of where a template is deployed, and of the ids of resources?

use serde_json::{Value, json};

use super::{Answer, Args, shown};
use crate::template::TemplateError;
use crate::template::eval::Scope;

pub(super) fn call(scope: &Scope<'_>, name: &str, args: &Args) -> Option<Answer> {
    let place = scope.place;
    let subscription = format!("/subscriptions/{}", place.subscription);
    Some(match name {
        "resourceid" => resource_id(scope, args),
        "subscriptionresourceid" => {
            let (given, rest) = leading(args);
            let subscription = given.first().map_or(subscription, |id| format!("/subscriptions/{id}"));
            provider(args, &subscription, rest)
        }
        "tenantresourceid" => provider(args, "", args.all()),
        "managementgroupresourceid" => {
            provider(args, "/providers/Microsoft.Management/managementGroups/stand-in", args.all())
        }
        "extensionresourceid" => {
            args.text(0).and_then(|scope| provider(args, scope.trim_end_matches('/'), &args.all()[1..]))
        }
        "resourcegroup" => Ok(json!({
            "id": format!("{subscription}/resourceGroups/{}", place.group),
            "name": place.group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": place.location,
            "tags": {},
            "properties": { "provisioningState": "Succeeded" },
        })),
        "subscription" => Ok(json!({
            "id": subscription,
            "subscriptionId": place.subscription,
            "tenantId": place.subscription,
            "displayName": "stand-in",
        })),
        "tenant" => Ok(json!({
            "tenantId": place.subscription, "countryCode": "US", "displayName": "stand-in",
        })),
        "managementgroup" => Ok(json!({
            "id": "/providers/Microsoft.Management/managementGroups/stand-in", "name": "stand-in",
            "properties": { "tenantId": place.subscription },
        })),
        "deployer" => Ok(json!({ "tenantId": place.subscription, "objectId": place.subscription })),
        "deployment" => Ok(json!({
            "name": scope.deployment,
            "location": place.location,
            "properties": { "mode": "Incremental", "templateLink": { "uri": "https://localhost/template.json" } },
        })),
        "environment" => Ok(environment()),
        _ => return None,
    })
}

fn environment() -> Value {
    json!({
        "name": "AzureCloud",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "gallery": "https://gallery.azure.com/",
        "graph": "https://graph.windows.net/",
        "portal": "https://portal.azure.com",
        "resourceManager": "https://management.azure.com/",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com/",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            "acrLoginServer": ".azurecr.io",
            "keyvaultDns": ".vault.azure.net",
            "sqlServerHostname": ".database.windows.net",
            "storage": "core.windows.net",
        },
    })
}

/// The values before the type, which has a slash, and the rest.
fn leading(args: &Args) -> (Vec<String>, &[Value]) {
    let at = args.all().iter().position(|value| value.as_str().is_some_and(is_type)).unwrap_or(0);
    let (before, rest) = args.all().split_at(at);
    (before.iter().map(shown).collect(), rest)
}

/// Whether it is a type of resources: `Provider.Name/type`.
fn is_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(provider, _)| provider.contains('.') && !text.starts_with('/'))
}

/// `resourceId([subscription], [group], type, name, …)`.
fn resource_id(scope: &Scope<'_>, args: &Args) -> Answer {
    let (before, rest) = leading(args);
    let (subscription, group) = match before.as_slice() {
        [] => (&scope.place.subscription, &scope.place.group),
        [group] => (&scope.place.subscription, group),
        [subscription, group, ..] => (subscription, group),
    };
    provider(args, &format!("/subscriptions/{subscription}/resourceGroups/{group}"), rest)
}

/// `base/providers/Provider.Name/type/name/type/name…`.
fn provider(args: &Args, base: &str, rest: &[Value]) -> Answer {
    let wrong = || -> TemplateError {
        args.wrong("wants a type such as Microsoft.Network/virtualNetworks, and names")
    };
    let (kind, names) = rest.split_first().ok_or_else(wrong)?;
    let mut steps = kind.as_str().ok_or_else(wrong)?.split('/');
    let mut id = format!("{base}/providers/{}", steps.next().unwrap_or_default());
    // One value may hold several names.
    let names: Vec<String> =
        names.iter().flat_map(|name| shown(name).split('/').map(str::to_owned).collect::<Vec<_>>()).collect();
    let mut names = names.into_iter();
    for step in steps {
        let name = names.next().ok_or_else(wrong)?;
        id = format!("{id}/{step}/{name}");
    }
    Ok(id.into())
}
