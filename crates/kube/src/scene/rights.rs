//! Which rights do the service accounts of MIC and NMI lack?
//!
//! The API server's own authorizer is asked, so whatever grants a right counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use podid_core::adopt::{Identity, Product, Role};
use podid_core::answer::Mode;
use podid_core::chain::{Rights, Runner, Seen};
use podid_core::ids::ObjectRef;

use super::{LIMIT, unseen};
use crate::call::{CallError, bounded};
use crate::crd::GROUP;

/// A right: group, resource, verbs.
type Right = (&'static str, &'static str, &'static [&'static str]);

const MIC: &[Right] = &[
    ("", "pods", &["list"]),
    ("", "nodes", &["list"]),
    (GROUP, "azureidentities", &["list"]),
    (GROUP, "azureidentitybindings", &["list"]),
    (GROUP, "azureassignedidentities", &["list", "create", "patch", "delete"]),
];

const NMI: &[Right] = &[
    ("", "pods", &["list"]),
    (GROUP, "azureidentities", &["list"]),
    (GROUP, "azureidentitybindings", &["list"]),
    (GROUP, "azurepodidentityexceptions", &["list"]),
    (GROUP, "azureassignedidentities", &["list"]),
];

/// What the accounts of podid's own pods lack.
pub(super) async fn accounts(client: &Client, runners: &[Runner]) -> BTreeMap<ObjectRef, Rights> {
    let ours = runners.iter().filter(|one| one.workload.product() == Product::Podid);
    let accounts: BTreeMap<ObjectRef, &Runner> = ours.map(|one| (one.account(), one)).collect();
    let asked = accounts.into_iter().map(|(account, runner)| async move {
        let rights = match runner.workload.role() {
            Some(Role::Mic) => MIC,
            Some(Role::Nmi) => NMI,
            None => &[],
        };
        let mode = if runner.workload.is_managed() { Mode::Managed } else { Mode::Standard };
        let needed = rights
            .iter()
            .filter(|(_, resource, _)| mode == Mode::Standard || *resource != "azureassignedidentities");
        let each = needed
            .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| (*group, *resource, *verb)));
        let answers = join_all(each.map(|right| may(client, &account, right, None))).await;
        let lacks = answers.into_iter().collect::<Result<Vec<_>, _>>();
        (account.clone(), told(lacks))
    });
    join_all(asked).await.into_iter().collect()
}

/// What the accounts of NMI lack to read the Secrets of service principals, by namespace.
pub(super) async fn secrets(
    client: &Client,
    runners: &[Runner],
    identities: &[Identity],
) -> BTreeMap<(ObjectRef, Arc<str>), Rights> {
    let ours = runners
        .iter()
        .filter(|one| one.workload.product() == Product::Podid && one.workload.role() == Some(Role::Nmi));
    let accounts: BTreeSet<ObjectRef> = ours.map(Runner::account).collect();
    let principals = identities.iter().filter(|one| one.type_ != 0);
    let namespaces: BTreeSet<Arc<str>> = principals.map(|one| one.fact.id.namespace.clone()).collect();
    let pairs =
        accounts.iter().flat_map(|account| namespaces.iter().map(move |namespace| (account, namespace)));
    let asked = pairs.map(|(account, namespace)| async move {
        let answer = may(client, account, ("", "secrets", "get"), Some(namespace)).await;
        ((account.clone(), namespace.clone()), told(answer.map(|one| vec![one])))
    });
    join_all(asked).await.into_iter().collect()
}

fn told(lacks: Result<Vec<Option<String>>, CallError>) -> Rights {
    match lacks {
        Ok(lacks) => Seen::Known(lacks.into_iter().flatten().collect()),
        Err(error) => unseen(&error),
    }
}

/// The right in words if `account` lacks it.
async fn may(
    client: &Client,
    account: &ObjectRef,
    (group, resource, verb): (&str, &str, &str),
    namespace: Option<&str>,
) -> Result<Option<String>, CallError> {
    let (home, name) = (&account.namespace, &account.name);
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{home}:{name}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{home}"),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                verb: Some(verb.to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let params = PostParams::default();
    let call = api.create(&params, &review);
    let answer = bounded(|| format!("ask what service account {account} may do"), LIMIT, call).await?;
    let allowed = answer.status.is_some_and(|status| status.allowed);
    Ok((!allowed).then(|| format!("{verb} {resource}")))
}
