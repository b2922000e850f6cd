//! What does the Secret of a service principal hold?
//!
//! It is read with a plain `get`, so the role needs no more than that, and remembered for a moment,
//! so that a burst of requests is one read, also where it fails. A rotated Secret has another version
//! and so another key in the token cache.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use podid_azure::entra::certificate::{Scheme, Unusable};
use podid_azure::entra::{Certificate, Proof};
use podid_core::facts::CredentialKind;
use podid_core::ids::{ObjectRef, Uid};
use podid_kube::Client;
use podid_kube::call::CallError;
use podid_kube::lookup::{self, Secret};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tokio::sync::{Mutex as TurnMutex, Semaphore};
use tokio::time::Instant;

use super::{Error, Failed, unusable};
use crate::metrics::Metrics;

/// How long what was read is taken for true.
const FRESH: Duration = Duration::from_secs(10);

/// How long a read may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most Secrets that are remembered.
const REMEMBERED: usize = 256;

/// How long a Secret that could not be read or used is left alone.
const PAUSE: Duration = Duration::from_secs(2);

/// How many certificates are opened at once: their makers choose how much computing that takes.
const OPENED_AT_ONCE: usize = 2;

/// Reads Secrets.
pub trait ReadSecret: Send + Sync {
    /// The Secret `id`.
    fn read<'a>(&'a self, id: &'a ObjectRef) -> BoxFuture<'a, Result<Secret, CallError>>;
}

/// Reads over the Kubernetes API.
pub struct KubeSecrets(pub Client);

/// Secrets, as credentials.
pub(super) struct Secrets {
    api: Arc<dyn ReadSecret>,
    remembered: Mutex<HashMap<Key, Arc<TurnMutex<Option<Remembered>>>>>,
    opening: Arc<Semaphore>,
}

/// A Secret, and what it is read as.
type Key = (ObjectRef, CredentialKind);

struct Remembered {
    read: Instant,
    outcome: Result<Arc<Credential>, Failed>,
}

/// A credential and which version of which Secret it came from.
pub(super) struct Credential {
    pub(super) uid: Uid,
    pub(super) version: String,
    pub(super) proof: Proof,
}

// === impl KubeSecrets ===

impl ReadSecret for KubeSecrets {
    fn read<'a>(&'a self, id: &'a ObjectRef) -> BoxFuture<'a, Result<Secret, CallError>> {
        Box::pin(lookup::secret(&self.0, id, TIMEOUT))
    }
}

// === impl Remembered ===

impl Remembered {
    fn is_fresh(&self) -> bool {
        self.read.elapsed() < if self.outcome.is_ok() { FRESH } else { PAUSE }
    }
}

// === impl Secrets ===

impl Secrets {
    pub(super) fn new(api: Arc<dyn ReadSecret>) -> Self {
        Self { api, remembered: Mutex::default(), opening: Arc::new(Semaphore::new(OPENED_AT_ONCE)) }
    }

    pub(super) async fn read(
        &self,
        id: &ObjectRef,
        kind: CredentialKind,
        metrics: &Metrics,
    ) -> Result<Arc<Credential>, Failed> {
        let place = self.place((id.clone(), kind));
        // Whoever comes while it is read waits for that, and finds it.
        let mut remembered = place.lock().await;
        if let Some(known) = remembered.as_ref().filter(|known| known.is_fresh()) {
            return known.outcome.clone();
        }
        let before = remembered.take().and_then(|known| known.outcome.ok());
        let outcome = self.ask(id, kind, before, metrics).await;
        *remembered = Some(Remembered { read: Instant::now(), outcome: outcome.clone() });
        outcome
    }

    fn place(&self, key: Key) -> Arc<TurnMutex<Option<Remembered>>> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED && !remembered.contains_key(&key) {
            remembered.clear();
        }
        remembered.entry(key).or_default().clone()
    }

    async fn ask(
        &self,
        id: &ObjectRef,
        kind: CredentialKind,
        before: Option<Arc<Credential>>,
        metrics: &Metrics,
    ) -> Result<Arc<Credential>, Failed> {
        let secret = self.fetch(id).await.inspect_err(|_| metrics.kubernetes_error("get_secret"))?;
        let same = before.filter(|known| known.uid == secret.uid && known.version == secret.version);
        let credential = match same {
            Some(known) => known,
            None => Arc::new(self.open(id, secret, kind).await?),
        };
        if let Proof::Certificate(certificate) = &credential.proof {
            certificate
                .check(Timestamp::now())
                .map_err(|problem| cannot_use(id, &of_certificate(&problem)))?;
        }
        Ok(credential)
    }

    /// Off the threads that answer requests.
    async fn open(&self, id: &ObjectRef, secret: Secret, kind: CredentialKind) -> Result<Credential, Failed> {
        let permit = self.opening.clone().acquire_owned().await.map_err(|_| Failed::Abandoned)?;
        let opening = tokio::task::spawn_blocking(move || {
            // Kept here: this goes on when the caller hangs up.
            let _permit = permit;
            let proof = proof(&secret.entries, kind)?;
            Ok::<_, String>(Credential { uid: secret.uid, version: secret.version, proof })
        });
        opening.await.map_err(|_| Failed::Abandoned)?.map_err(|problem| cannot_use(id, &problem))
    }

    async fn fetch(&self, id: &ObjectRef) -> Result<Secret, Failed> {
        self.api.read(id).await.map_err(|error| match error {
            CallError::Absent { .. } => unusable(format!(
                "Secret {id} does not exist. Create it in the identity's namespace, or correct \
                 spec.clientPassword.name."
            )),
            CallError::Forbidden { .. } => unusable(format!(
                "NMI may not read Secret {id}. Give its service account the verb get on Secrets in namespace \
                 {} by a Role and a RoleBinding.",
                id.namespace
            )),
            error => {
                Failed::Source { error: Arc::new(Error::SecretUnread(error.to_string())), retry_after: PAUSE }
            }
        })
    }
}

fn cannot_use(id: &ObjectRef, problem: &str) -> Failed {
    unusable(format!("Secret {id} cannot be used: {problem}."))
}

/// Keys by name, never whichever comes first (W-37).
fn proof(entries: &BTreeMap<String, SecretSlice<u8>>, kind: CredentialKind) -> Result<Proof, String> {
    match kind {
        CredentialKind::Password => password(entries).map(Proof::Secret),
        CredentialKind::Certificate => {
            let certificate = entries.get(kind.key_name()).ok_or("it has no key certificate")?;
            let password = entries.get("password").map(ExposeSecret::expose_secret);
            let password = password.map(str::from_utf8).transpose();
            let password =
                password.map_err(|_| "its key password is not UTF-8 text")?.map(SecretString::from);
            Certificate::read(certificate.expose_secret(), password.as_ref(), Scheme::default())
                .map(Proof::Certificate)
                .map_err(|problem| match problem {
                    Unusable::Password if password.is_none() => {
                        "its key certificate is a PKCS#12 file with a password; store that as the key password"
                            .to_owned()
                    }
                    Unusable::Password => {
                        "its key password does not open the PKCS#12 file in its key certificate".to_owned()
                    }
                    problem => of_certificate(&problem),
                })
        }
    }
}

fn of_certificate(problem: &Unusable) -> String {
    format!("its key certificate {problem}")
}

fn password(entries: &BTreeMap<String, SecretSlice<u8>>) -> Result<SecretString, String> {
    let key = CredentialKind::Password.key(entries.keys().map(String::as_str));
    let value = key.and_then(|key| entries.get(key)).ok_or_else(|| {
        format!(
            "it has {} keys and none is called clientSecret, which holds the client secret",
            entries.len()
        )
    })?;
    let text = str::from_utf8(value.expose_secret()).map_err(|_| "the client secret is not UTF-8 text")?;
    match text.trim_end() {
        "" => Err("the client secret is empty".to_owned()),
        text => Ok(SecretString::from(text)),
    }
}

#[cfg(test)]
mod tests;
