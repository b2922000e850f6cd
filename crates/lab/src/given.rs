//! How is the cluster of `--kubeconfig FILE` reached, from this machine and from inside the lab?

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

/// Longest time until a connection to the API server has come about.
const PATIENCE: Duration = Duration::from_secs(5);
/// How the lab calls cluster, user and context in kubeconfigs of its own.
const NAME: &str = "podid-lab";

/// The cluster that a kubeconfig's current context names.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    cluster: Cluster,
    user: AuthInfo,
    server: Uri,
    /// Where the kubeconfig is.
    path: PathBuf,
}

/// Why a kubeconfig is of no use for the lab. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GivenError {
    /// It cannot be read, or is not a kubeconfig.
    #[error("cannot use kubeconfig {path}: {problem}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It does not say which cluster or which user.
    #[error(
        "kubeconfig {path} has no usable context: {problem}; choose one with \
         `kubectl --kubeconfig {path} config use-context NAME`"
    )]
    Context {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// It needs something that the lab does not have inside.
    #[error(
        "kubeconfig {path} uses {what}, which does not work inside the lab's own network; \
         give one with a client certificate or a token"
    )]
    NotInside {
        /// Which file.
        path: PathBuf,
        /// The feature.
        what: &'static str,
    },
    /// The API server does not answer.
    #[error("cannot reach the API server {server} of {path}: {problem}; does the cluster run?")]
    Unreachable {
        /// Its address.
        server: String,
        /// The kubeconfig.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
}

// === impl Given ===

impl Given {
    /// Reads a kubeconfig.
    pub(crate) fn read(path: &Path) -> Result<Self, GivenError> {
        let unreadable = |problem: String| GivenError::Unreadable { path: path.to_owned(), problem };
        let missing =
            |problem: &str| GivenError::Context { path: path.to_owned(), problem: problem.to_owned() };
        // Files that it names are then found from anywhere.
        let path = std::path::absolute(path).map_err(|error| unreadable(error.to_string()))?;
        let file = std::fs::metadata(&path).map_err(|error| unreadable(error.to_string()))?;
        if file.is_dir() {
            return Err(unreadable("it is a directory".to_owned()));
        }
        let kubeconfig = Kubeconfig::read_from(&path).map_err(|error| unreadable(error.to_string()))?;
        let current = kubeconfig.current_context.ok_or_else(|| missing("current-context is not set"))?;
        let context = kubeconfig.contexts.into_iter().find(|one| one.name == current);
        let context = context.and_then(|one| one.context).ok_or_else(|| missing("it is not in the file"))?;
        let cluster = kubeconfig.clusters.into_iter().find(|one| one.name == context.cluster);
        let cluster = cluster.and_then(|one| one.cluster).ok_or_else(|| missing("its cluster is missing"))?;
        let user = kubeconfig.auth_infos.into_iter().find(|one| Some(&one.name) == context.user.as_ref());
        let user = user.and_then(|one| one.auth_info).ok_or_else(|| missing("its user is missing"))?;
        let server = cluster.server.clone().ok_or_else(|| missing("its cluster has no server"))?;
        let server: Uri = server.parse().map_err(|error| unreadable(format!("server {server}: {error}")))?;
        if server.host().is_none() {
            return Err(unreadable(format!("server {server} names no host")));
        }
        let not_inside = |what| GivenError::NotInside { path: path.clone(), what };
        if user.exec.is_some() || user.auth_provider.is_some() {
            return Err(not_inside("a program for its credentials"));
        }
        if cluster.proxy_url.is_some() {
            return Err(not_inside("a proxy"));
        }
        Ok(Self { cluster, user, server, path })
    }

    /// The kubeconfig itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The server's URL.
    pub(crate) fn server(&self) -> String {
        self.server.to_string()
    }

    /// Host name or address of the server, and its port.
    pub(crate) fn host(&self) -> (String, u16) {
        let host = self.server.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let usual = if self.server.scheme_str() == Some("http") { 80 } else { 443 };
        (host, self.server.port_u16().unwrap_or(usual))
    }

    /// Connects once, to say early and clearly that nobody listens.
    pub(crate) fn knock(&self) -> Result<(), GivenError> {
        let tell = |problem: String| GivenError::Unreachable {
            server: self.server(),
            path: self.path.clone(),
            problem,
        };
        let (host, port) = self.host();
        let addresses = (host.as_str(), port).to_socket_addrs().map_err(|error| tell(error.to_string()))?;
        let mut problem = format!("{host} has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(_) => return Ok(()),
                Err(error) => problem = error.to_string(),
            }
        }
        Err(tell(problem))
    }

    /// The same cluster as it is reached at `address` inside the lab, with the rights of the kubeconfig's user.
    pub(crate) fn inside(&self, address: SocketAddr) -> Kubeconfig {
        self.at(address, self.user.clone())
    }

    /// The same with the rights of whoever's token the file holds, which may be renewed.
    pub(crate) fn with_token_file(&self, address: SocketAddr, token: &Path) -> Kubeconfig {
        let user = AuthInfo { token_file: Some(token.display().to_string()), ..AuthInfo::default() };
        self.at(address, user)
    }

    fn at(&self, address: SocketAddr, user: AuthInfo) -> Kubeconfig {
        let mut cluster = self.cluster.clone();
        // The certificate is still that of the name or address that the kubeconfig has.
        let (host, _) = self.host();
        cluster.tls_server_name = cluster.tls_server_name.or(Some(host));
        let scheme = self.server.scheme_str().unwrap_or("https");
        cluster.server = Some(format!("{scheme}://{address}{}", self.server.path().trim_end_matches('/')));
        let name = || NAME.to_owned();
        let context = Context { cluster: name(), user: Some(name()), ..Context::default() };
        Kubeconfig {
            clusters: vec![NamedCluster { name: name(), cluster: Some(cluster), ..NamedCluster::default() }],
            auth_infos: vec![NamedAuthInfo {
                name: name(),
                auth_info: Some(user),
                ..NamedAuthInfo::default()
            }],
            contexts: vec![NamedContext { name: name(), context: Some(context), ..NamedContext::default() }],
            current_context: Some(name()),
            ..Kubeconfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cluster: &str, user: &str) -> Result<Given, GivenError> {
        let text = format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        );
        Given::read(write(&text).path())
    }

    fn write(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn inside(given: &Given) -> Cluster {
        let kubeconfig = given.inside(([10, 99, 0, 1], 6443).into());
        kubeconfig.clusters[0].cluster.clone().unwrap()
    }

    #[test]
    fn inside_the_address_changes_and_the_name_on_the_certificate_stays() {
        for (server, host, port, path) in [
            ("https://127.0.0.1:40001", "127.0.0.1", 40001, ""),
            ("https://api.example.org", "api.example.org", 443, ""),
            ("https://rancher.example.org/k8s/clusters/c-1", "rancher.example.org", 443, "/k8s/clusters/c-1"),
            ("https://[::1]:6443/", "::1", 6443, ""),
        ] {
            let given = read(&format!("server: \"{server}\""), "token: t").unwrap();
            assert_eq!(given.host(), (host.to_owned(), port));
            let cluster = inside(&given);
            assert_eq!(cluster.server.unwrap(), format!("https://10.99.0.1:6443{path}"));
            assert_eq!(cluster.tls_server_name.unwrap(), host);
        }
        let named = read("server: \"https://10.0.0.1\", tls-server-name: api", "token: t").unwrap();
        assert_eq!(inside(&named).tls_server_name.unwrap(), "api");
        let lax = read("server: \"https://10.0.0.1\", insecure-skip-tls-verify: true", "token: t").unwrap();
        assert_eq!(inside(&lax).insecure_skip_tls_verify, Some(true));
    }

    #[test]
    fn files_beside_the_kubeconfig_are_found_from_anywhere() {
        let given = read("server: \"https://a\", certificate-authority: ca.crt", "client-key: k").unwrap();
        let cluster = inside(&given);
        assert!(Path::new(&cluster.certificate_authority.unwrap()).is_absolute());
    }

    #[test]
    fn what_needs_a_network_inside_is_refused_with_what_to_do() {
        let plugin = read("server: \"https://a\"", "exec: {command: kubelogin}").unwrap_err().to_string();
        assert!(plugin.contains("client certificate or a token"), "{plugin}");
        let proxy = read("server: \"https://a\", proxy-url: \"http://p\"", "token: t").unwrap_err();
        assert!(proxy.to_string().contains("a proxy"));
        let missing = Given::read(Path::new("/nonexistent/config")).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/config"), "{missing}");
    }

    #[test]
    fn nobody_s_port_is_unreachable_and_the_server_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("https://{}", listener.local_addr().unwrap());
        let given = read(&format!("server: \"{server}\""), "token: t").unwrap();
        given.knock().unwrap();
        drop(listener);
        assert!(given.knock().unwrap_err().to_string().contains(&server));
    }
}
