//! Which clusters are there in a subscription right now?

use podid_azure::arm::Arm;
use podid_azure::arm::resource::Version;
use podid_azure::http::{Client, Settings as Patience};
use podid_azure::login;
use serde_json::Value;

use super::resource;
use crate::report::Report;
use crate::run::Run;
use crate::settings::Settings;

/// Microsoft.ContainerService: the newest that has all that rules ask.
const CLUSTERS: Version = Version("2024-09-01");

/// Nobody could be logged in.
#[derive(Debug, thiserror::Error)]
pub enum NoLogin {
    /// The cloud is not known.
    #[error(transparent)]
    Cloud(#[from] podid_azure::cloud::InvalidCloud),
    /// No credentials were found, or those that were do not work.
    #[error(transparent)]
    Credentials(#[from] login::Error),
}

/// ARM, in the name of whoever runs the command: where Azure's SDKs look for credentials.
pub async fn log_in(user_agent: &str) -> Result<Arm, NoLogin> {
    let variable = |name: &str| std::env::var(name).ok();
    let cloud = login::cloud(None, variable)?;
    let http = Client::new(Patience::new(user_agent));
    let account = login::find(&http, &cloud, variable).await?;
    Ok(Arm::new(http, &cloud, account.credential))
}

/// Looks at the clusters of the subscription with this id. Nothing is written.
pub async fn subscription(arm: &Arm, id: &str, run: &Run<'_, Settings>, report: &mut Report) {
    let path = format!("/subscriptions/{id}/providers/Microsoft.ContainerService/managedClusters");
    match arm.list(&path, CLUSTERS, None).await {
        Ok(clusters) => listed(id, clusters, run, report),
        Err(error) => report.cannot_read(format!("subscription {id}"), error.to_string()),
    }
}

/// Looks at what ARM listed.
fn listed(id: &str, clusters: Vec<Value>, run: &Run<'_, Settings>, report: &mut Report) {
    if clusters.is_empty() {
        report.notes.push(format!("subscription {id}: there is no AKS cluster in it that this account sees"));
    }
    for cluster in clusters {
        match resource::of(cluster) {
            Ok(target) => run.look(&target, report),
            Err(why) => report.cannot_read(format!("subscription {id}"), format!("a resource {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::Outcome;
    use crate::rules;
    use crate::run::Keep;
    use crate::select::Selection;

    fn look(clusters: Vec<Value>) -> Report {
        let selection =
            Selection { include: vec!["Azure.AKS.ManagedIdentity".to_owned()], ..Selection::default() };
        let (settings, mut report) = (Settings::default(), Report::default());
        listed("s", clusters, &Run::new(rules::AZURE, &selection, &settings, Keep::Processed), &mut report);
        report
    }

    #[test]
    fn clusters_that_arm_lists_are_asked_about_under_their_ids() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/a";
        let kind = "Microsoft.ContainerService/ManagedClusters";
        let report = look(vec![
            json!({"id": id, "name": "a", "type": kind, "identity": {"type": "UserAssigned"}, "properties": {}}),
            json!({"name": "b", "type": kind, "properties": {}}),
            json!({"name": "c"}),
        ]);
        assert_eq!((report.count(Outcome::Pass), report.count(Outcome::Fail)), (1, 1));
        assert_eq!(report.records[0].subject.fields["resourceId"], id);
        assert_eq!(report.unread.len(), 1);
    }

    #[test]
    fn a_subscription_without_clusters_is_worth_a_note_and_no_failure() {
        let report = look(Vec::new());
        assert!(report.is_complete());
        assert_eq!(report.notes, ["subscription s: there is no AKS cluster in it that this account sees"]);
    }
}
