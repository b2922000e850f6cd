//! What makes a control plane, in which order does it start, and what can be done with it?

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use http::Request;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::api_server;
use crate::audit::{self, AuditEvent};
use crate::authority::{self, Authority};
use crate::background::Background;
use crate::controllers;
use crate::error::{Failure, StartError};
use crate::etcd::Etcd;
use crate::folder::Folder;
use crate::kubeconfig::{self, Credentials};
use crate::kubelets::Kubelets;
use crate::output::{self, Output};
use crate::port::Port;
use crate::process::Process;
use crate::programs::Programs;

/// The kubeconfig with all rights, in the control plane's folder.
const ADMIN: &str = "admin.kubeconfig";
/// Where kubectl and helm keep what they keep.
const HOME: &str = "home";
/// Life of a service account's token in seconds; no test lasts as long.
const TOKEN_LIFE: i64 = 6 * 60 * 60;
/// What each control plane has a moment after its start, and a client may rely on.
const ROOT_CA: &str = "kube-root-ca.crt";

/// A running etcd, kube-apiserver and kube-controller-manager.
///
/// Dropping it ends them and removes their files. They end as well when this process is killed. Every control plane is
/// independent of others.
pub struct ControlPlane {
    // Dropped in this order: who asks goes before who answers, and the folder goes last.
    background: Background,
    client: Client,
    _controllers: Process,
    api_server: Mutex<Option<Process>>,
    etcd: Etcd,
    port: Port,
    ca_pem: String,
    programs: Programs,
    folder: Folder,
}

// === impl ControlPlane ===

impl ControlPlane {
    /// Starts one on a free port of 127.0.0.1. It is ready when this returns.
    pub fn start(programs: &Programs) -> Result<Self, StartError> {
        Self::start_on(programs, 0)
    }

    /// Starts one on this port of 127.0.0.1; 0 stands for any.
    pub fn start_on(programs: &Programs, port: u16) -> Result<Self, StartError> {
        let port = Port::take(port)?;
        let mut folder = Folder::new()?;
        let path = folder.path().to_path_buf();
        let mut etcd = Etcd::start(&programs.etcd, &path)?;
        folder.watch(etcd.group())?;
        let url = format!("https://127.0.0.1:{}", port.number());
        let ca_pem = write_files(&folder, &url)?;
        let background = Background::new("podid-testbed")?;
        let client = connect(&background, &path.join(ADMIN))?;
        etcd.until_ready()?;
        let mut api_server = api_server::start(&programs.kube_apiserver, &path, port.number(), etcd.group())?;
        api_server.until(|| is_ready(&background, &client))?;
        let mut controllers = controllers::start(&programs.kube_controller_manager, &path, etcd.group())?;
        controllers.until(|| has_controllers(&background, &client))?;
        let api_server = Mutex::new(Some(api_server));
        let programs = programs.clone();
        Ok(Self {
            background,
            client,
            _controllers: controllers,
            api_server,
            etcd,
            port,
            ca_pem,
            programs,
            folder,
        })
    }

    /// Where the API server is reached, such as `https://127.0.0.1:41237`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port.number())
    }

    /// The folder with logs, certificates and data, readable by its owner only.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A kubeconfig of a user who may do everything.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.folder().join(ADMIN)
    }

    /// A kubeconfig with a token of this service account, which must exist: exactly its rights, for six hours.
    pub fn kubeconfig_for(&self, namespace: &str, service_account: &str) -> Result<PathBuf, Failure> {
        let doing = || format!("get a token for service account {namespace}/{service_account}");
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        let name = service_account.to_owned();
        let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_LIFE), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = self
            .background
            .run(async move { accounts.create_token_request(&name, &PostParams::default(), &request).await })
            .ok_or_else(|| Failure::Unexpected { doing: doing(), answer: String::new() })?
            .map_err(|problem| Failure::Call { doing: doing(), problem: Box::new(problem) })?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        let content = kubeconfig::render(&self.url(), &self.ca_pem, &Credentials::Token(&token));
        Ok(self.folder.write(&format!("{namespace}.{service_account}.kubeconfig"), &content)?)
    }

    /// Runs kubectl with admin rights.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_with(arguments, "")
    }

    /// Runs kubectl with admin rights, and this on its standard input.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Output {
        output::run(
            &self.programs.kubectl,
            arguments,
            input,
            &self.admin_kubeconfig(),
            &self.folder().join(HOME),
        )
    }

    /// Runs helm with admin rights, without plugins or repositories of the user.
    pub fn helm(&self, arguments: &[&str]) -> Output {
        output::run(&self.programs.helm, arguments, "", &self.admin_kubeconfig(), &self.folder().join(HOME))
    }

    /// Plays the kubelets of these nodes, and the scheduler, until the result is dropped.
    pub fn kubelets(&self, nodes: &[&str]) -> Result<Kubelets, Failure> {
        Kubelets::start(&self.admin_kubeconfig(), nodes)
    }

    /// All requests so far, in their order; a request that is under way may be missing.
    pub fn audit(&self) -> Result<Vec<AuditEvent>, Failure> {
        let log = self.folder().join(api_server::AUDIT_LOG);
        let bytes = std::fs::read(&log)
            .map_err(|problem| Failure::Files { doing: format!("read {}", log.display()), problem })?;
        Ok(audit::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Kills the API server, as a crash would. Its port stays reserved.
    pub fn stop_api_server(&self) {
        drop(self.lock().take());
    }

    /// Starts the API server again on its port, unless it runs, and waits until it is ready.
    pub fn start_api_server(&self) -> Result<(), StartError> {
        let mut slot = self.lock();
        if slot.is_none() {
            let program = &self.programs.kube_apiserver;
            let mut process =
                api_server::start(program, self.folder(), self.port.number(), self.etcd.group())?;
            process.until(|| is_ready(&self.background, &self.client))?;
            *slot = Some(process);
        }
        Ok(())
    }

    /// Throws away the history and starts the API server again, which has none in memory either then: a watch that goes
    /// on from a version of before is told 410.
    pub fn compact(&self) -> Result<(), Failure> {
        self.etcd.compact()?;
        self.stop_api_server();
        Ok(self.start_api_server()?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.api_server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("url", &self.url())
            .field("folder", &self.folder())
            .finish_non_exhaustive()
    }
}

/// Writes what the programs read. The result is the authority's certificate.
fn write_files(folder: &Folder, url: &str) -> Result<String, StartError> {
    let authority = Authority::new()?;
    let server = authority.server()?;
    let (token_key, token_public_key) = authority::token_keys()?;
    folder.write(api_server::CA, authority.pem())?;
    folder.write(api_server::CERTIFICATE, &server.certificate)?;
    folder.write(api_server::KEY, &server.key)?;
    folder.write(api_server::TOKEN_KEY, &token_key)?;
    folder.write(api_server::TOKEN_PUBLIC_KEY, &token_public_key)?;
    let admin = authority.client("podid-testbed", Some("system:masters"))?;
    let controllers = authority.client("system:kube-controller-manager", None)?;
    for (file, pair) in [(ADMIN, &admin), (controllers::KUBECONFIG, &controllers)] {
        folder.write(file, &kubeconfig::render(url, authority.pem(), &Credentials::Certificate(pair)))?;
    }
    let home = folder.path().join(HOME);
    std::fs::create_dir(&home).map_err(|problem| StartError::Folder { folder: home.clone(), problem })?;
    Ok(authority.pem().to_owned())
}

/// A client with what the file says. It repeats nothing by itself.
pub(crate) fn connect(background: &Background, kubeconfig: &Path) -> Result<Client, StartError> {
    let unusable = |problem: String| StartError::Unusable { what: "a client", problem };
    let read = Kubeconfig::read_from(kubeconfig).map_err(|error| unusable(error.to_string()))?;
    let made = background.run(async move {
        let options = KubeConfigOptions::default();
        let mut config =
            Config::from_custom_kubeconfig(read, &options).await.map_err(|error| error.to_string())?;
        config.default_retry = false;
        Client::try_from(config).map_err(|error| error.to_string())
    });
    made.unwrap_or_else(|| Err("the library panicked".to_owned())).map_err(unusable)
}

fn is_ready(background: &Background, client: &Client) -> bool {
    let client = client.clone();
    let asked = background.run(async move {
        let request = Request::get("/readyz").body(Vec::new()).ok()?;
        client.request_text(request).await.ok()
    });
    asked.flatten().is_some_and(|body| body == "ok")
}

/// The controllers work: what they publish into every namespace is there, and pods can be created.
fn has_controllers(background: &Background, client: &Client) -> bool {
    let configs = Api::<ConfigMap>::default_namespaced(client.clone());
    let accounts = Api::<ServiceAccount>::default_namespaced(client.clone());
    let asked = background.run(async move {
        let published = configs.get_opt(ROOT_CA).await.ok().flatten().is_some();
        published && accounts.get_opt("default").await.ok().flatten().is_some()
    });
    asked.unwrap_or(false)
}
