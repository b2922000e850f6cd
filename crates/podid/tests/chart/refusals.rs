//! Is what cannot work refused before anything is installed, in words that help?

use crate::helm::{Helm, IMAGE, said};

/// Values, and what is said about them.
const REFUSED: &[(&[&str], &str)] = &[
    (&["--set=operationMode=auto"], "'/operationMode': value must be one of 'standard', 'managed'"),
    (&["--set=mic.replica=1"], "'/mic': additional properties 'replica' not allowed"),
    (&["--set=nmi.updateStrategy.rollingUpdate.maxUnavailible=1"], "'maxUnavailible' not allowed"),
    (&["--set=polices.identityFields.enabled=false"], "additional properties 'polices' not allowed"),
    (&["--set=azureIdentities.a.bindings.selector=a"], "'bindings' not allowed"),
    (&["--set=adminsecret.tenantId=a"], "'/adminsecret': additional properties 'tenantId' not allowed"),
    (&["--set=mic.replicas=two"], "'/mic/replicas': got string, want integer"),
    (&["--set=nmi.probePort=99999"], "'/nmi/probePort': maximum: got 99,999, want 65,535"),
    (&["--set=mic.syncRetryDuration=1hour"], "'/mic/syncRetryDuration': '1hour' does not match pattern"),
    (&["--set=forceNamespaced=yes"], "'/forceNamespaced': value must be one of true, false, 'true', 'false'"),
    (&["--set=rbac.secretNamespaces=apps"], "'/rbac/secretNamespaces': got string, want array"),
    (&["--set=mic.cloudConfig=azure.json"], "'/mic/cloudConfig': 'azure.json' does not match pattern"),
    (
        &["--set=nmi.startupTaint=podid.dev/starting:NoSchedule"],
        "'/nmi/startupTaint': 'podid.dev/starting:NoSch",
    ),
    (
        &["--set=policies.netRaw.action=deny"],
        "'/policies/netRaw/action': value must be one of 'Deny', 'Warn'",
    ),
    (&["--set=policies.netRaw.exemptNamespaces={Mesh}"], "'Mesh' does not match pattern"),
    (&["--set=image.repository=REGISTRY/podid"], "image.repository REGISTRY/podid has capitals"),
    (&["--set=image.digest=abc"], "'/image/digest': 'abc' does not match pattern"),
    (
        &["--set=operationMode=managed", "--set-string=forceNamespaced=false"],
        "operationMode managed matches within a namespace only; remove forceNamespaced, or set it to \"true\".",
    ),
    (
        &["--set=adminsecret.cloud=AzureCloud", "--set=mic.cloudConfig=/etc/azure.json"],
        "adminsecret and mic.cloudConfig (/etc/azure.json) are both set",
    ),
    (&["--set=adminsecret.cloud=AzureCloud"], "adminsecret.clientSecret is missing."),
    (&["--set=nmi.updateStrategy.rollingUpdate.maxSurge=1"], "maxSurge must be 0: the ports are the host's"),
    (
        &["--set=mic.podDisruptionBudget.minAvailable=1,mic.podDisruptionBudget.maxUnavailable=1"],
        "mic.podDisruptionBudget has minAvailable and maxUnavailable; remove one.",
    ),
    (&["--set=azureIdentities.a.clientID=c"], "azureIdentities.a.resourceID is missing; type 0 needs it."),
    (&["--set=azureIdentities.a.type=2"], "azureIdentities.a.tenantID is missing; types 1 and 2 need it."),
    (
        &["--set=azureIdentities.a.type=1,azureIdentities.a.clientPassword=secret"],
        "azureIdentities.a.clientPassword is not a Secret's name as JSON: write '{\"name\": \"my-secret\"}'.",
    ),
    (
        &["--set=image.repository=r.example/podid:1"],
        "contains a tag or digest; set image.tag or image.digest.",
    ),
    (
        &[
            "--set=azureIdentities.a.type=1",
            r#"--set-json=azureIdentities.a.clientPassword={"name":"s","namespace":"b"}"#,
        ],
        "names a Secret in namespace b; podid reads an identity's Secret only in the identity's own, podid",
    ),
    (&["--set=policies.assignmentWriters.additional={it's}"], "'/policies/assignmentWriters/additional/0'"),
];

fn refused(helm: &Helm, arguments: &[&str], message: &str) {
    let output = helm.template(arguments);
    assert!(!output.status.success(), "{arguments:?} is accepted");
    assert!(said(&output).contains(message), "{arguments:?}: {}", said(&output));
}

#[test]
fn what_cannot_work_is_refused_with_its_reason() {
    let Some(helm) = Helm::find_or_skip("what_cannot_work_is_refused_with_its_reason") else { return };
    for (arguments, message) in REFUSED {
        refused(&helm, &[&IMAGE as &[_], arguments].concat(), message);
    }
}

#[test]
fn without_an_image_it_says_how_to_build_one() {
    let Some(helm) = Helm::find_or_skip("without_an_image_it_says_how_to_build_one") else { return };
    for word in ["image.repository is missing", "cargo xtask image", "push", "docs/how-to/install.md"] {
        refused(&helm, &[], word);
    }
    let original = "--set=image.repository=mcr.microsoft.com/oss/azure/aad-pod-identity";
    refused(&helm, &[original], "has the original's images, which do not know podid's arguments");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let Some(helm) = Helm::find_or_skip("everything_that_is_wrong_is_said_at_once") else { return };
    let arguments = ["--set=operationMode=managed", "--set=forceNamespaced=false"];
    for word in ["image.repository is missing", "matches within a namespace only"] {
        refused(&helm, &arguments, word);
    }
}
