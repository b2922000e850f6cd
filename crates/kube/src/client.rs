//! How do we reach the API server, and is it the one that we need?

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use crate::call::{CallError, bounded, chain};
use crate::crd::{API_VERSION, GROUP};

/// Time for a connection to come about, and for one small question.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time without a byte after which a connection is dead. The API server ends each watch within 290 s, so that this
/// is true of watches as well.
const SILENCE: Duration = Duration::from_mins(5);

/// Why there is no client. All of them end the program; each says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig file cannot be read.
    #[error("cannot read kubeconfig {path}: {problem}; check --kubeconfig and the file's permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        problem: String,
    },
    /// The kubeconfig file is not one.
    #[error("kubeconfig {path} is malformed: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        problem: String,
    },
    /// The kubeconfig file does not say which cluster and user to use.
    #[error(
        "kubeconfig {path} has no usable context: {problem}; choose one with \
         `kubectl --kubeconfig {path} config use-context NAME`"
    )]
    Context {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// No kubeconfig was given, and this is no pod of a cluster.
    #[error("not in a cluster ({0}); give --kubeconfig FILE to reach one from outside")]
    NotInCluster(String),
    /// No kubeconfig was given, there is none where kubectl looks, and this is no pod of a cluster.
    #[error("no cluster to talk to: {0} does not exist; give --kubeconfig FILE or set KUBECONFIG")]
    NoCluster(PathBuf),
    /// Certificates, keys or the user agent cannot be used.
    #[error("cannot set up the connection to the API server: {0}")]
    Unusable(String),
}

/// Why the cluster is not ready for us.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// A custom resource is not defined.
    #[error("the cluster does not define {0}; run: podid crds apply")]
    Undefined(String),
    /// The API server did not answer the question.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A client for the cluster of `kubeconfig`, or of the pod that we are in if there is none.
///
/// Nothing is sent yet. Calls are not repeated behind the caller's back: an answer such as 429 or
/// 503 would otherwise be retried for minutes, past every deadline of ours.
pub async fn connect(kubeconfig: Option<&Path>, user_agent: &str) -> Result<Client, ConnectError> {
    let config = match kubeconfig {
        Some(path) => read(path).await?,
        None => Config::incluster().map_err(|error| ConnectError::NotInCluster(chain(&error)))?,
    };
    client(config, user_agent)
}

/// A client for the cluster that kubectl would talk to: that of `kubeconfig`, else of the files in
/// `KUBECONFIG`, else of `~/.kube/config`, else of the pod that we are in; by `context` instead of
/// the current one. For commands that people type; otherwise as [`connect`].
pub async fn connect_as_kubectl(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    user_agent: &str,
) -> Result<Client, ConnectError> {
    let path = kubeconfig.map_or_else(kubectl_path, Path::to_owned);
    let found = match kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let config = match found {
        Ok(found) => {
            let options =
                KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
            Config::from_custom_kubeconfig(found, &options).await.map_err(|error| explain(path, &error))?
        }
        Err(KubeconfigError::ReadConfig(error, _))
            if kubeconfig.is_none() && context.is_none() && error.kind() == ErrorKind::NotFound =>
        {
            Config::incluster().map_err(|_| ConnectError::NoCluster(path))?
        }
        Err(error) => return Err(explain(path, &error)),
    };
    client(config, user_agent)
}

/// Where kubectl looks, in words for messages.
fn kubectl_path() -> PathBuf {
    match std::env::var_os("KUBECONFIG").filter(|files| !files.is_empty()) {
        Some(files) => files.into(),
        None => "~/.kube/config".into(),
    }
}

fn client(mut config: Config, user_agent: &str) -> Result<Client, ConnectError> {
    let agent = user_agent
        .parse()
        .map_err(|_| ConnectError::Unusable(format!("user agent {user_agent:?} is no header value")))?;
    config.headers.push((http::header::USER_AGENT, agent));
    config.default_retry = false;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(SILENCE);
    config.reset_reader_on_write = true;
    Client::try_from(config).map_err(|error| ConnectError::Unusable(chain(&error)))
}

async fn read(path: &Path) -> Result<Config, ConnectError> {
    let fail = |error: KubeconfigError| explain(path.to_owned(), &error);
    let kubeconfig = Kubeconfig::read_from(path).map_err(fail)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(fail)
}

fn explain(path: PathBuf, error: &KubeconfigError) -> ConnectError {
    let problem = chain(error);
    match error {
        KubeconfigError::ReadConfig(error, _) => {
            ConnectError::Unreadable { path, problem: error.to_string() }
        }
        KubeconfigError::CurrentContextNotSet
        | KubeconfigError::LoadContext(_)
        | KubeconfigError::LoadClusterOfContext(_)
        | KubeconfigError::MissingClusterUrl => ConnectError::Context { path, problem },
        KubeconfigError::LoadCertificateAuthority(_)
        | KubeconfigError::LoadClientCertificate(_)
        | KubeconfigError::LoadClientKey(_) => {
            ConnectError::Unusable(format!("{}: {problem}", path.display()))
        }
        _ => ConnectError::Malformed { path, problem },
    }
}

/// Checks that the cluster defines the custom resources `plurals`, such as [`crd::STANDARD`].
///
/// Asks discovery, which every service account may.
///
/// [`crd::STANDARD`]: crate::crd::STANDARD
pub async fn require_crds(client: &Client, plurals: &[&str]) -> Result<(), NotReady> {
    let call = client.list_api_group_resources(API_VERSION);
    let defined = match bounded(|| format!("discover {API_VERSION}"), PATIENCE, call).await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        Err(CallError::Absent { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    match plurals.iter().find(|plural| !defined.iter().any(|name| name == **plural)) {
        None => Ok(()),
        Some(missing) => Err(NotReady::Undefined(format!("{missing}.{GROUP}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Store;

    async fn refusal(content: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let error = connect(Some(file.path()), "podid").await.err().unwrap().to_string();
        error.replace(&file.path().display().to_string(), "FILE")
    }

    #[tokio::test]
    async fn every_bad_kubeconfig_says_what_to_mend() {
        let missing = connect(Some(Path::new("/nowhere/config")), "podid").await.err().unwrap().to_string();
        assert!(missing.starts_with("cannot read kubeconfig /nowhere/config: No such file"), "{missing}");
        let malformed = refusal("clusters: {{{").await;
        assert!(malformed.starts_with("kubeconfig FILE is malformed: "), "{malformed}");
        let no_context =
            refusal("apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n").await;
        assert!(no_context.contains("FILE has no usable context"), "{no_context}");
        assert!(no_context.contains("config use-context NAME"), "{no_context}");
        let unknown = refusal("apiVersion: v1\nkind: Config\ncurrent-context: gone\ncontexts: []\n").await;
        assert!(unknown.contains("FILE has no usable context") && unknown.contains("gone"), "{unknown}");
    }

    #[tokio::test]
    async fn outside_a_cluster_a_kubeconfig_is_asked_for() {
        let error = connect(None, "podid").await.err().unwrap().to_string();
        assert!(error.contains("give --kubeconfig FILE"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_custom_resource_is_named_with_the_command_that_defines_it() {
        let store = Store::default();
        let error = require_crds(&store.client(), &crate::crd::STANDARD).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the cluster does not define azureidentities.aadpodidentity.k8s.io; run: podid crds apply"
        );
        let resource = |name: &str| json!({"name": name, "singularName": "", "namespaced": true, "kind": "X", "verbs": []});
        let managed: Vec<_> = crate::crd::MANAGED.iter().map(|name| resource(name)).collect();
        store.put(
            "/apis/aadpodidentity.k8s.io/v1",
            json!({"groupVersion": API_VERSION, "resources": managed}),
        );
        require_crds(&store.client(), &crate::crd::MANAGED).await.unwrap();
        let error = require_crds(&store.client(), &crate::crd::STANDARD).await.unwrap_err();
        assert!(error.to_string().contains("azureassignedidentities.aadpodidentity.k8s.io"));
    }
}
