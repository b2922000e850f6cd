//! How many VMs does a resource group hold, asked of ARM with the pod's token?

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use podid_azure::http::Client;
use secrecy::SecretString;
use serde::Deserialize;

use crate::ask::{Failure, Question};

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Pages that are followed before something must be wrong.
const PAGES: usize = 100;

#[derive(Deserialize)]
struct Page {
    value: Vec<serde::de::IgnoredAny>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

/// Counts the VMs of a resource group over all pages of the list.
pub(crate) async fn count(
    client: &Client,
    arm: &str,
    subscription: &str,
    resource_group: &str,
    token: &SecretString,
) -> Result<usize, Failure> {
    let arm = arm.trim_end_matches('/');
    let mut next = Some(format!(
        "{arm}/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines?api-version=2019-12-01",
        utf8_percent_encode(subscription, SEGMENT),
        utf8_percent_encode(resource_group, SEGMENT),
    ));
    let mut count = 0;
    for _ in 0..PAGES {
        let Some(url) = next.take() else { break };
        let body = Question::bearing(url, token).ask(client).await?;
        let page: Page = serde_json::from_slice(&body)
            .map_err(|_| Failure::Unexpected("the answer is not a list of VMs".into()))?;
        count += page.value.len();
        next = page.next_link.filter(|link| !link.is_empty());
        // The token goes along, so it goes to nobody else.
        if next.as_ref().is_some_and(|link| !link.starts_with(&format!("{arm}/"))) {
            return Err(Failure::Unexpected("the next page of the list is on another host".into()));
        }
    }
    Ok(count)
}
