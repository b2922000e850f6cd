//! How is a real control plane run by hand, to try podid on?

use std::process::ExitCode;

use anyhow::Context;
use podid_testbed::{ControlPlane, Programs};
use tokio::signal::unix::{SignalKind, signal};

use crate::assets::{self, Kubernetes};
use crate::workspace::Workspace;

/// What the cluster is like.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Port of the API server on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many nodes are played; with 0 the lab can be its guest, which brings nodes of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=100))]
    nodes: u8,
}

/// Starts one, says how to use it, and keeps it until Ctrl-C.
pub(crate) fn run(
    workspace: &Workspace,
    options: &Options,
    kubernetes: Option<Kubernetes>,
) -> anyhow::Result<ExitCode> {
    let assets = assets::prepare(workspace, kubernetes)?;
    assets.require_all()?;
    let programs = Programs::inside(&assets.folder)?;
    let cluster = ControlPlane::start_on(&programs, options.port)?;
    let names: Vec<_> = (1..=options.nodes).map(|number| format!("node-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let _kubelets = (!names.is_empty()).then(|| cluster.kubelets(&names)).transpose()?;
    println!(
        "A real API server runs at {}, with {} played nodes, until Ctrl-C. Try:",
        cluster.url(),
        names.len()
    );
    println!();
    for line in
        render(&cluster.admin_kubeconfig().to_string_lossy(), &assets.folder.to_string_lossy(), options.nodes)
    {
        println!("  {line}");
    }
    until_told_to_end()?;
    println!("ending; nothing stays behind");
    drop(cluster);
    Ok(ExitCode::SUCCESS)
}

/// The lines to paste into another terminal.
fn render(kubeconfig: &str, folder: &str, nodes: u8) -> [String; 2] {
    let export = format!("export KUBECONFIG='{kubeconfig}' PATH='{folder}':\"$PATH\"");
    let next = match nodes {
        0 => "cargo run -- lab demo --kubeconfig \"$KUBECONFIG\"",
        _ => "kubectl get nodes && kubectl apply -f deploy/crds",
    };
    [export, next.to_owned()]
}

/// Waits for Ctrl-C or SIGTERM.
fn until_told_to_end() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_try_next_fits_the_nodes() {
        let [export, next] = render("/t/admin.kubeconfig", "/p", 2);
        assert_eq!(export, "export KUBECONFIG='/t/admin.kubeconfig' PATH='/p':\"$PATH\"");
        assert!(next.starts_with("kubectl get nodes"), "{next}");
        let [_, next] = render("/t/admin.kubeconfig", "/p", 0);
        assert!(next.contains("lab demo --kubeconfig"), "{next}");
    }
}
