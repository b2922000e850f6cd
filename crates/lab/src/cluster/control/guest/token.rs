//! How does a part of podid keep a valid token of its service account? From a file that the lab renews.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::client::Client;
use crate::scenario::SYSTEM_NAMESPACE;

/// How long a token is asked to be valid; the server may give less.
const LIFE: Duration = Duration::from_hours(24);
/// Pause after an attempt that failed.
const AGAIN: Duration = Duration::from_secs(10);

/// Writes a token of `account` into `file`; what is returned renews it for as long as it is polled.
pub(super) async fn keep(
    client: Client,
    account: &'static str,
    file: PathBuf,
) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let mut expires = renew(&client, account, &file).await?;
    Ok(async move {
        loop {
            tokio::time::sleep(until_renewal(Timestamp::now(), expires)).await;
            match renew(&client, account, &file).await {
                Ok(next) => expires = next,
                Err(error) => {
                    tracing::warn!(%error, account, "a token was not renewed");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    })
}

async fn renew(client: &Client, account: &str, file: &Path) -> anyhow::Result<Timestamp> {
    let (token, expires) = client
        .token(SYSTEM_NAMESPACE, account, LIFE)
        .await
        .with_context(|| format!("cannot get a token of the service account {account}"))?;
    let new = file.with_extension("new");
    crate::home::write_private(&new, token.as_bytes())?;
    std::fs::rename(&new, file)?;
    Ok(expires)
}

/// A token is renewed when a fifth of its life is left, as kubelets do, and at least a minute before.
fn until_renewal(now: Timestamp, expires: Timestamp) -> Duration {
    let left = expires.duration_since(now).unsigned_abs();
    if expires <= now {
        Duration::ZERO
    } else {
        (left * 4 / 5).min(left.saturating_sub(Duration::from_mins(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_well_before_it_ends() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |seconds: i64| until_renewal(now, Timestamp::from_second(seconds).unwrap());
        assert_eq!(after(86_400), Duration::from_mins(1152));
        assert_eq!(after(120), Duration::from_mins(1));
        assert_eq!(after(30), Duration::ZERO);
        assert_eq!(after(-5), Duration::ZERO);
    }
}
