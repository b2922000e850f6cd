//! When does `azure.json` change, and what then?
//!
//! Operators rotate the secret of a service principal in the file, and a mounted Secret changes by the
//! swap of a link, of which the kernel tells nobody who watches the file. So it is read every few
//! seconds; what it says counts when two readings agree, because a writer may be in the middle of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use podid_azure::config::{AzureConfig, Login};
use podid_azure::credential::Credential;
use podid_core::ids::ClientId;
use podid_runtime::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How often the file is read.
const PAUSE: Duration = Duration::from_secs(5);

/// Makes a credential of what the file says.
type Make = Box<dyn Fn(&AzureConfig) -> Credential + Send + Sync>;

/// Follows the file and keeps the credential of the controller at what it says.
pub(crate) struct Follower {
    path: PathBuf,
    before: Option<Fingerprint>,
    credential: Credential,
    make: Make,
    /// The cloud of the start; another one needs a restart.
    cloud: String,
    own: mpsc::Sender<ClientId>,
}

/// Tells one text of the file from another. The text itself holds a secret and is not kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

/// What was seen of the file.
struct Seen {
    used: Option<Fingerprint>,
    last: Option<Fingerprint>,
    refused: Option<Fingerprint>,
}

/// Which text the file at `path` holds now; none if it cannot be read.
pub(crate) fn fingerprint(path: &Path) -> Option<Fingerprint> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(path).ok()?.hash(&mut hasher);
    Some(Fingerprint(hasher.finish()))
}

// === impl Follower ===

impl Follower {
    /// Follows the file at `path`, which said `now`; `before` was taken before that was read, so that no change is
    /// missed. The client id of each managed identity that becomes the controller's own comes out of the receiver.
    pub(crate) fn new(
        path: PathBuf,
        before: Option<Fingerprint>,
        now: &AzureConfig,
        credential: Credential,
        make: impl Fn(&AzureConfig) -> Credential + Send + Sync + 'static,
    ) -> (Self, mpsc::Receiver<ClientId>) {
        let (own, changes) = mpsc::channel(1);
        let cloud = now.cloud.name.clone();
        (Self { path, before, credential, make: Box::new(make), cloud, own }, changes)
    }

    /// Follows until `end`.
    pub(crate) async fn run(self, end: Shutdown) {
        tokio::select! {
            () = end.begun() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(self) {
        let mut seen = Seen { used: self.before, last: None, refused: None };
        loop {
            sleep(PAUSE).await;
            // A few kilobytes of a local file.
            let now = fingerprint(&self.path);
            if seen.is_news(now) {
                self.renew(&mut seen, now).await;
            }
        }
    }

    async fn renew(&self, seen: &mut Seen, now: Option<Fingerprint>) {
        let file = self.path.display();
        match AzureConfig::from_file(&self.path, |name| std::env::var(name).ok()) {
            Ok(config) => {
                if config.cloud.name != self.cloud {
                    tracing::warn!(%file, cloud = config.cloud.name, "another cloud; restart MIC to use it");
                }
                self.credential.replace(&(self.make)(&config));
                seen.used = now;
                tracing::info!(%file, "changed; its credential is used from now on");
                if let Login::ManagedIdentity(Some(client)) = config.login {
                    // Nobody listens only at the end.
                    let _ = self.own.send(client).await;
                }
            }
            Err(error) => {
                seen.refused = now;
                tracing::warn!(%error, "changed to something that cannot be used; the credential stays as it was");
            }
        }
    }
}

// === impl Seen ===

impl Seen {
    /// Whether the file now says something that was not judged yet, twice in a row.
    fn is_news(&mut self, now: Option<Fingerprint>) -> bool {
        let settled = now == self.last;
        self.last = now;
        settled && now.is_some() && now != self.used && now != self.refused
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use podid_azure::entra::Entra;
    use podid_azure::http::{Client, Settings};
    use podid_azure::imds::Imds;

    use super::*;

    const PRINCIPAL: &str = r#"{"cloud": "AzurePublicCloud", "tenantId": "t", "aadClientId": "app", "aadClientSecret": "SECRET"}"#;
    const MANAGED: &str = r#"{"cloud": "AzurePublicCloud", "useManagedIdentityExtension": true, "userAssignedIdentityID": "client-9"}"#;

    /// A follower of `path` and what the credentials were made of, by kind.
    fn followed(path: PathBuf) -> (Shutdown, mpsc::Receiver<ClientId>, Arc<Mutex<Vec<String>>>) {
        let before = fingerprint(&path);
        let config = AzureConfig::from_file(&path, |_| None).unwrap();
        let credential = |config: &AzureConfig| {
            let http = Client::new(Settings::new("test"));
            let (imds, entra) = (Imds::new(http.clone(), "http://127.0.0.1:1"), Entra::new(http));
            Credential::new(&config.login, &config.cloud, imds, entra)
        };
        let log = Arc::new(Mutex::new(Vec::new()));
        let kinds = log.clone();
        let make = move |config: &AzureConfig| {
            kinds.lock().unwrap().push(match &config.login {
                Login::ManagedIdentity(client) => format!("managed {client:?}"),
                Login::ServicePrincipal { client_id, .. } => format!("principal {client_id}"),
            });
            credential(config)
        };
        let (follower, own) = Follower::new(path, before, &config, credential(&config), make);
        let end = Shutdown::new();
        tokio::spawn(follower.run(end.clone()));
        (end, own, log)
    }

    /// W-27.
    #[tokio::test(start_paused = true)]
    async fn a_change_counts_once_it_stands_still_and_half_a_file_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("azure.json");
        fs::write(&path, PRINCIPAL).unwrap();
        let (end, _own, made) = followed(path.clone());
        let made = || made.lock().unwrap().clone();
        sleep(PAUSE * 3).await;
        assert_eq!(made(), [""; 0], "nothing changed");

        fs::write(&path, &PRINCIPAL[..60]).unwrap();
        sleep(PAUSE * 3).await;
        assert_eq!(made(), [""; 0], "half a file");
        fs::remove_file(&path).unwrap();
        sleep(PAUSE * 3).await;
        assert_eq!(made(), [""; 0], "no file");
        fs::write(&path, PRINCIPAL).unwrap();
        sleep(PAUSE * 3).await;
        assert_eq!(made(), [""; 0], "as it was");
        fs::write(&path, PRINCIPAL.replace("\"app\"", "\"app-2\"")).unwrap();
        sleep(PAUSE * 3).await;
        assert_eq!(made(), ["principal app-2"]);
        end.begin();
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_between_the_first_reading_and_the_following_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("azure.json");
        fs::write(&path, PRINCIPAL).unwrap();
        let (end, _own, log) = followed(path.clone());
        // The follower has not run yet.
        fs::write(&path, PRINCIPAL.replace("\"app\"", "\"app-2\"")).unwrap();
        sleep(PAUSE * 3).await;
        assert_eq!(*log.lock().unwrap(), ["principal app-2"]);
        end.begin();
    }

    /// W-27.
    #[tokio::test(start_paused = true)]
    async fn the_swap_of_a_link_is_seen_and_a_new_identity_of_our_own_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("one"), PRINCIPAL).unwrap();
        fs::write(at("two"), MANAGED).unwrap();
        std::os::unix::fs::symlink(at("one"), at("azure.json")).unwrap();
        let (end, mut own, made) = followed(at("azure.json"));
        sleep(PAUSE).await;
        std::os::unix::fs::symlink(at("two"), at("next")).unwrap();
        fs::rename(at("next"), at("azure.json")).unwrap();
        assert_eq!(own.recv().await, ClientId::parse("client-9").ok());
        assert_eq!(made.lock().unwrap().len(), 1);
        end.begin();
    }
}
