//! What do the flags mean, and what does a wrong one say?

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn config(arguments: &[&str]) -> anyhow::Result<Config> {
    let node: &[&str] = if arguments.contains(&"--node=") { &[] } else { &["--node=node-1"] };
    Cli::try_parse_from(["nmi"].iter().chain(node).chain(arguments))?.args.config(false)
}

#[test]
fn defaults_are_the_original_ones() {
    let config = config(&[]).unwrap();
    assert_eq!((config.mode, config.matching), (Mode::Standard, Matching::ClusterWide));
    assert_eq!((config.listen, config.port), (Ipv4Addr::LOCALHOST, 2579));
    assert_eq!(config.metadata.to_string(), "169.254.169.254:80");
    assert_eq!((config.probes.port(), config.metrics.port()), (8080, 9090));
    assert_eq!(config.holds, Holds::default());
    assert_eq!(config.kubelet_config.unwrap().to_str(), Some("/etc/default/kubelet"));
    assert!(config.rules.metadata_header_required && config.own_assignments_only);
    assert!(!config.rules.block_instance_metadata && !config.rules.host_token_route);
}

#[test]
fn what_the_original_s_manifests_pass_is_understood() {
    let config = config(&[
        "--http-probe-port=8085",
        "--forceNamespaced=true",
        "--enableScaleFeatures=false",
        "--operation-mode=Standard",
        "--block-instance-metadata=true",
        "--metadata-header-required=false",
        "--MICNamespace=kube-system",
        "--ipt-update-interval-sec=60",
        "--set-retry-after-header",
        "--enableProfile",
        "--allow-network-plugin-kubenet=true",
        "--retry-attempts-for-created=2",
        "--find-identity-retry-interval=3",
    ])
    .unwrap();
    assert_eq!((config.probes.port(), config.matching), (8085, Matching::Namespaced));
    assert!(!config.own_assignments_only && !config.rules.metadata_header_required);
    assert!(config.rules.block_instance_metadata && config.kubelet_config.is_none());
    assert_eq!(config.holds.unknown(), Duration::from_secs(6));
}

#[test]
fn managed_mode_is_namespaced_and_says_so_when_told_otherwise() {
    assert_eq!(config(&["--operation-mode", "managed"]).unwrap().matching, Matching::Namespaced);
    let error = config(&["--operation-mode=managed", "--forceNamespaced=false"]).unwrap_err();
    assert!(error.to_string().contains("--forceNamespaced"), "{error}");
}

#[test]
fn the_daemon_set_is_watched_where_namespace_and_name_are_known() {
    let named = |arguments: &[&str]| config(arguments).unwrap().daemon_set;
    assert_eq!(named(&["--pod-namespace="]), None);
    assert_eq!(named(&["--pod-namespace=podid"]), Some(ObjectRef::new("podid", "nmi")));
    assert_eq!(
        named(&["--pod-namespace=podid", "--daemonset-name=x-nmi"]),
        Some(ObjectRef::new("podid", "x-nmi"))
    );
    assert_eq!(named(&["--pod-namespace=podid", "--daemonset-name="]), None);
}

#[test]
fn there_is_no_startup_taint_unless_it_is_named() {
    let key = |arguments: &[&str]| config(arguments).unwrap().startup_taint;
    assert_eq!((key(&[]), key(&["--startup-taint="])), (None, None));
    assert_eq!(key(&["--startup-taint=podid.dev/starting"]).as_deref(), Some("podid.dev/starting"));
}

#[test]
fn a_wrong_flag_has_one_clear_message() {
    for (arguments, part) in [
        (&["--operation-mode=auto"] as &[_], "standard or managed"),
        (&["--node="], "--node NAME"),
        (&["--cloud=Moon"], "AzurePublicCloud"),
        (&["--nmi-port=99999"], "99999"),
    ] {
        let error = config(arguments).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}

#[test]
fn w38_the_custom_user_agent_is_sent_to_azure() {
    let agent = config(&["--custom-user-agent=contoso/1"]).unwrap().user_agent;
    assert!(agent.starts_with("aad-pod-identity/NMI/") && agent.ends_with(" contoso/1"), "{agent}");
    assert!(!config(&[]).unwrap().user_agent.ends_with(' '));
}
