//! What does the demo ask the metadata service?

use form_urlencoded::Serializer;
use podid_azure::http::Client;
use secrecy::SecretString;
use serde::Deserialize;

use crate::ask::{Failure, Question};

#[derive(Deserialize)]
struct TokenBody {
    access_token: SecretString,
}

/// The address of the token endpoint, as the original printed it.
pub(crate) fn token_endpoint(metadata: &str) -> String {
    format!("{metadata}/metadata/identity/oauth2/token")
}

/// A token for `resource`, of the identity with `client_id` or of whichever one the pod has.
pub(crate) async fn token(
    client: &Client,
    metadata: &str,
    resource: &str,
    client_id: Option<&str>,
) -> Result<SecretString, Failure> {
    let mut query = Serializer::new(String::new());
    query.append_pair("api-version", "2018-02-01").append_pair("resource", resource);
    if let Some(client_id) = client_id {
        query.append_pair("client_id", client_id);
    }
    let url = format!("{}?{}", token_endpoint(metadata), query.finish());
    let body = Question::metadata(url).ask(client).await?;
    let token: TokenBody = serde_json::from_slice(&body)
        .map_err(|_| Failure::Unexpected("the answer is not that of a token endpoint".into()))?;
    Ok(token.access_token)
}

/// Reads the instance metadata; what it says does not matter here.
pub(crate) async fn instance(client: &Client, metadata: &str) -> Result<(), Failure> {
    let url = format!("{metadata}/metadata/instance?api-version=2017-08-01");
    Question::metadata(url).ask(client).await.map(drop)
}
