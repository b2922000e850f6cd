//! What do the keys of `azure.json` and the environment variables say?

use std::collections::BTreeMap;
use std::path::PathBuf;

use podid_core::ids::ClientId;
use secrecy::SecretString;
use serde_json::Value;

use super::{AzureConfig, ConfigError, Login};
use crate::cloud::{CUSTOM_FILE_VARIABLE, Cloud};

/// What one setting is called in either place, and what belongs there.
struct Key {
    in_file: &'static str,
    in_environment: &'static str,
    expected: &'static str,
}

const CLOUD: Key =
    Key { in_file: "cloud", in_environment: "CLOUD", expected: "a cloud's name such as AzurePublicCloud" };
const TENANT: Key = Key {
    in_file: "tenantId",
    in_environment: "TENANT_ID",
    expected: "the tenant of the service principal, a GUID or a domain",
};
const CLIENT: Key = Key {
    in_file: "aadClientId",
    in_environment: "CLIENT_ID",
    expected: "the application id of a service principal, or useManagedIdentityExtension: true (USE_MSI=true)",
};
const SECRET: Key = Key {
    in_file: "aadClientSecret",
    in_environment: "CLIENT_SECRET",
    expected: "the service principal's secret",
};
const SUBSCRIPTION: Key = Key {
    in_file: "subscriptionId",
    in_environment: "SUBSCRIPTION_ID",
    expected: "the id of the nodes' subscription",
};
const GROUP: Key = Key {
    in_file: "resourceGroup",
    in_environment: "RESOURCE_GROUP",
    expected: "the name of the nodes' resource group",
};
const USE_MANAGED: Key =
    Key { in_file: "useManagedIdentityExtension", in_environment: "USE_MSI", expected: "true or false" };
const MANAGED_CLIENT: Key = Key {
    in_file: "userAssignedIdentityID",
    in_environment: "USER_ASSIGNED_MSI_CLIENT_ID",
    expected: "a client id, or nothing for the system-assigned identity",
};

/// Where settings come from.
enum Place<F> {
    File { path: String, values: BTreeMap<String, Value> },
    Environment(F),
}

pub(super) fn file(
    text: &str,
    path: String,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<AzureConfig, ConfigError> {
    let malformed = |problem: String| ConfigError::Malformed { path: path.clone(), problem };
    let text = text.trim_start_matches('\u{feff}');
    // The parser's own message shows the line, which may be the one with the secret: only its place is told.
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        malformed(error.location().map_or_else(
            || "cannot be parsed".to_owned(),
            |at| format!("cannot be parsed at line {}, column {}", at.line(), at.column()),
        ))
    })?;
    let Value::Object(map) = value else {
        return Err(malformed("holds no keys and values".to_owned()));
    };
    let values = map.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect();
    let custom_file = variable(CUSTOM_FILE_VARIABLE);
    build(&Place::<fn(&str) -> Option<String>>::File { path, values }, custom_file)
}

pub(super) fn environment(variable: impl Fn(&str) -> Option<String>) -> Result<AzureConfig, ConfigError> {
    let custom_file = variable(CUSTOM_FILE_VARIABLE);
    build(&Place::Environment(variable), custom_file)
}

fn build<F: Fn(&str) -> Option<String>>(
    place: &Place<F>,
    custom_file: Option<String>,
) -> Result<AzureConfig, ConfigError> {
    let custom_file = custom_file.filter(|path| !path.is_empty()).map(PathBuf::from);
    let cloud = Cloud::parse(&place.required(&CLOUD)?, custom_file.as_deref())
        .map_err(|source| ConfigError::Cloud { origin: place.origin(), source })?;
    let login = if place.flag(&USE_MANAGED)? {
        let client = place.optional(&MANAGED_CLIENT)?;
        Login::ManagedIdentity(client.and_then(|text| ClientId::parse(&text).ok()))
    } else {
        Login::ServicePrincipal {
            tenant: place.required(&TENANT)?,
            client_id: place.required(&CLIENT)?,
            secret: SecretString::from(place.required(&SECRET)?),
        }
    };
    Ok(AzureConfig {
        cloud,
        subscription: place.optional(&SUBSCRIPTION)?,
        resource_group: place.optional(&GROUP)?,
        login,
    })
}

// === impl Place ===

impl<F: Fn(&str) -> Option<String>> Place<F> {
    fn origin(&self) -> String {
        match self {
            Self::File { path, .. } => path.clone(),
            Self::Environment(_) => "environment".to_owned(),
        }
    }

    fn wrong(&self, key: &Key, problem: &'static str) -> ConfigError {
        let name = match self {
            Self::File { .. } => key.in_file,
            Self::Environment(_) => key.in_environment,
        };
        ConfigError::Value { origin: self.origin(), key: name, problem, expected: key.expected }
    }

    fn optional(&self, key: &Key) -> Result<Option<String>, ConfigError> {
        let text = match self {
            Self::File { values, .. } => match values.get(&key.in_file.to_ascii_lowercase()) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                // YAML reads an unquoted 0042 or true as something else than text.
                Some(Value::Number(number)) => Some(number.to_string()),
                Some(Value::Bool(flag)) => Some(flag.to_string()),
                Some(_) => return Err(self.wrong(key, "is a list or an object")),
            },
            Self::Environment(variable) => variable(key.in_environment),
        };
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    fn required(&self, key: &Key) -> Result<String, ConfigError> {
        self.optional(key)?.ok_or_else(|| self.wrong(key, "is missing or empty"))
    }

    fn flag(&self, key: &Key) -> Result<bool, ConfigError> {
        match self.optional(key)?.map(|text| text.to_ascii_lowercase()).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(self.wrong(key, "is neither")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const PRINCIPAL: &str = r#"{"cloud":"AzurePublicCloud","tenantId":"t","aadClientId":"c","aadClientSecret":"s3cret",
        "subscriptionId":"sub","resourceGroup":"rg","vmType":"vmss","unknown":{"a":[1]}}"#;

    fn read(text: &str) -> Result<AzureConfig, ConfigError> {
        file(text, "/etc/kubernetes/azure.json".to_owned(), |_| None)
    }

    #[test]
    fn reads_the_json_of_a_cluster() {
        let config = read(PRINCIPAL).unwrap();
        assert_eq!(
            (config.subscription.as_deref(), config.resource_group.as_deref()),
            (Some("sub"), Some("rg"))
        );
        let Login::ServicePrincipal { tenant, client_id, secret } = config.login else {
            panic!("{config:?}")
        };
        assert_eq!((tenant.as_str(), client_id.as_str(), secret.expose_secret()), ("t", "c", "s3cret"));
    }

    #[test]
    fn reads_yaml_and_keys_in_any_case() {
        let config = read(
            "Cloud: azurecloud\nSUBSCRIPTIONID: 'sub'\nresourcegroup: rg\nusemanagedidentityextension: true\n\
             userassignedidentityid: abc\n",
        )
        .unwrap();
        let Login::ManagedIdentity(Some(client)) = config.login else { panic!("{config:?}") };
        assert_eq!(client.as_str(), "abc");
    }

    #[test]
    fn an_empty_client_id_means_the_system_assigned_identity() {
        let text = r#"{"cloud":"AzureCloud","subscriptionId":"s","resourceGroup":"g",
            "useManagedIdentityExtension":"True","userAssignedIdentityID":""}"#;
        assert!(matches!(read(text).unwrap().login, Login::ManagedIdentity(None)));
    }

    #[test]
    fn reads_the_environment() {
        let variables = BTreeMap::from([
            ("CLOUD", "AzureUSGovernment"),
            ("SUBSCRIPTION_ID", "sub"),
            ("RESOURCE_GROUP", "rg"),
            ("USE_MSI", "TRUE"),
        ]);
        let config = environment(|name| variables.get(name).map(|value| (*value).to_owned())).unwrap();
        assert_eq!(config.cloud.name, "AzureUSGovernmentCloud");
        assert!(matches!(config.login, Login::ManagedIdentity(None)));

        let error = environment(|_| None).unwrap_err().to_string();
        assert!(error.starts_with("environment: CLOUD is missing"), "{error}");
    }

    #[test]
    fn a_mistake_is_named_with_file_key_and_expectation() {
        let cases = [
            ("cloud: [", "cannot be parsed at line"),
            ("", "holds no keys"),
            ("[]", "holds no keys"),
            ("cloud: Mars", "cloud \"Mars\" is unknown"),
            (&PRINCIPAL.replace("aadClientSecret", "x"), "aadClientSecret is missing or empty"),
            (&PRINCIPAL.replace("\"t\"", "\" \""), "tenantId is missing or empty"),
            (&PRINCIPAL.replace("\"rg\"", "[1]"), "resourceGroup is a list or an object"),
            (
                "{cloud: AzureCloud, useManagedIdentityExtension: maybe}",
                "useManagedIdentityExtension is neither",
            ),
        ];
        for (text, problem) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with("/etc/kubernetes/azure.json: ") && error.contains(problem), "{error}");
        }
    }

    #[test]
    fn no_secret_in_errors_or_debug() {
        let config = read(PRINCIPAL).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
        let broken =
            ["{\"aadClientSecret\":\"s3cret\" oops", "aadClientSecret: s3cret\n  b: [s3cret", "s3cret"];
        for text in broken {
            let error = read(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let error = AzureConfig::from_file("/nonexistent/azure.json".as_ref(), |_| None).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/azure.json"), "{error}");
    }
}
