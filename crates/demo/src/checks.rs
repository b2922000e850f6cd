//! Which checks make up a round, and which line does each print?

use podid_azure::http::Client;

use crate::ask::Failure;
use crate::{Config, imds, vault, vms};

/// Makes every check once, prints a line for each, and says whether all of them succeeded.
pub(crate) async fn round(client: &Client, config: &Config, say: &mut impl FnMut(String)) -> bool {
    let mut good = true;
    let mut tell = |result: Result<String, String>| {
        good &= result.is_ok();
        say(result.unwrap_or_else(|line| line));
    };
    let endpoint = imds::token_endpoint(&config.metadata);
    let client_id = Some(config.client_id.as_str()).filter(|id| !id.is_empty());

    tell(match count_vms(client, config, client_id).await {
        Ok(count) => Ok(format!("successfully doARMOperations vm count {count}")),
        Err(why) => Err(format!("failed doARMOperations: {why}")),
    });
    tell(match imds::token(client, &config.metadata, &config.resource, None).await {
        Ok(_) => Ok(format!("successfully acquired a token using the MSI, msiEndpoint({endpoint})")),
        Err(why) => Err(format!("failed to acquire a token using the MSI, msiEndpoint({endpoint}): {why}")),
    });
    let named = format!("userAssignedID MSI, msiEndpoint({endpoint}) clientID({})", config.client_id);
    tell(match token_by_client_id(client, config, client_id).await {
        Ok(()) => Ok(format!("successfully acquired a token, {named}")),
        Err(why) => Err(format!("failed to acquire a token, {named}: {why}")),
    });
    tell(match imds::instance(client, &config.metadata).await {
        Ok(()) => Ok("successfully made GET on instance metadata".to_owned()),
        Err(why) => Err(format!("failed to make GET on instance metadata: {why}")),
    });
    if let Some(secret) = &config.secret {
        let (name, from) = (&secret.name, &secret.vault);
        tell(match vault::read(client, config, secret).await {
            Ok(()) => Ok(format!("successfully read secret {name} from {from}")),
            Err(why) => Err(format!("failed to read secret {name} from {from}: {why}")),
        });
    }
    good
}

async fn count_vms(client: &Client, config: &Config, client_id: Option<&str>) -> Result<usize, Failure> {
    let Config { subscription, resource_group, .. } = config;
    if subscription.is_empty() || resource_group.is_empty() {
        return Err(Failure::Missing("give --subscriptionid and --resourcegroup".into()));
    }
    let token = imds::token(client, &config.metadata, &config.resource, client_id).await?;
    vms::count(client, &config.resource, subscription, resource_group, &token).await
}

async fn token_by_client_id(
    client: &Client,
    config: &Config,
    client_id: Option<&str>,
) -> Result<(), Failure> {
    let missing = || Failure::Missing("give --clientid".into());
    let client_id = client_id.ok_or_else(missing)?;
    imds::token(client, &config.metadata, &config.resource, Some(client_id)).await.map(drop)
}
