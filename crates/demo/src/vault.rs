//! Can the pod read a secret from a key vault?
//!
//! As the SDKs do: ask without a token first, and let the vault's challenge name the audience, which must belong
//! to the vault's own domain.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, StatusCode, Uri};
use podid_azure::http::Client;
use serde::Deserialize;

use crate::ask::{Failure, Question, refusal};
use crate::{Config, VaultSecret, imds};

#[derive(Deserialize)]
struct SecretBody {
    #[serde(rename = "value")]
    _value: serde::de::IgnoredAny,
}

/// Reads the secret and forgets its value.
pub(crate) async fn read(client: &Client, config: &Config, secret: &VaultSecret) -> Result<(), Failure> {
    let url = format!("{}/secrets/{}?api-version=7.4", secret.url, secret.name);
    let question = Question { url, bearer: None, metadata: false };
    let challenge = question.answer(client).await?;
    if challenge.status() != StatusCode::UNAUTHORIZED {
        return Err(match challenge.status() {
            status if status.is_success() => {
                Failure::Unexpected("the vault answered without asking for a token".into())
            }
            _ => refusal(&challenge),
        });
    }
    let resource = audience(challenge.headers(), &secret.url)?;
    let client_id = Some(config.client_id.as_str()).filter(|id| !id.is_empty());
    let token = imds::token(client, &config.metadata, &resource, client_id).await?;
    let body = Question { bearer: Some(token), ..question }.ask(client).await?;
    serde_json::from_slice::<SecretBody>(&body)
        .map(drop)
        .map_err(|_| Failure::Unexpected("the answer is not a secret".into()))
}

/// The `resource` of the challenge, if the vault may ask for tokens of that audience.
fn audience(headers: &HeaderMap, vault: &str) -> Result<String, Failure> {
    let challenge = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let resource = parameter(challenge, "resource").ok_or_else(|| {
        Failure::Unexpected("the vault refused, and its challenge does not name a resource".into())
    })?;
    let (asked, own) = (host(resource), host(vault));
    let fits = |asked: &str, own: &str| own == asked || own.ends_with(&format!(".{asked}"));
    match (asked, own) {
        (Some(asked), Some(own)) if fits(&asked, &own) => Ok(resource.to_owned()),
        _ => Err(Failure::Unexpected(format!(
            "the vault asks for a token for {resource}, which is not its own"
        ))),
    }
}

/// The quoted value of `name` in `Bearer a="…", b="…"`.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    challenge.trim_start_matches("Bearer").split(',').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn host(url: &str) -> Option<String> {
    Some(url.parse::<Uri>().ok()?.host()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn audience_of(challenge: &'static str, vault: &str) -> Result<String, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        audience(&headers, vault)
    }

    #[test]
    fn the_audience_is_the_one_of_the_challenge() {
        let challenge = r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net""#;
        assert_eq!(audience_of(challenge, "https://KV.vault.azure.net").unwrap(), "https://vault.azure.net");
    }

    #[test]
    fn a_vault_cannot_ask_for_a_token_of_another_service() {
        for resource in [
            r#"Bearer resource="https://management.azure.com""#,
            r#"Bearer resource="https://ault.azure.net""#,
            r#"Bearer resource="""#,
            r#"Bearer authorization="https://vault.azure.net""#,
            "Basic",
        ] {
            assert!(audience_of(resource, "https://kv.vault.azure.net").is_err(), "{resource}");
        }
    }
}
