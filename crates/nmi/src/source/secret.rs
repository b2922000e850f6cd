//! What does the Secret of a service principal hold?
//!
//! It is read with a plain `get`, so the role needs no more than that, and remembered for a moment,
//! so that a burst of requests is one read. A rotated Secret has another version and so another key
//! in the token cache.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use podid_azure::entra::certificate::Scheme;
use podid_azure::entra::{Certificate, Proof};
use podid_core::facts::CredentialKind;
use podid_core::ids::{ObjectRef, Uid};
use podid_kube::Client;
use podid_kube::call::CallError;
use podid_kube::lookup::{self, Secret};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tokio::time::Instant;

use super::{Error, Failed, unusable};
use crate::metrics::Metrics;

/// How long what was read is taken for true.
const FRESH: Duration = Duration::from_secs(10);

/// How long a read may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most Secrets that are remembered.
const REMEMBERED: usize = 256;

/// How long a Secret that could not be read is left alone.
const PAUSE: Duration = Duration::from_secs(2);

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
    remembered: Mutex<HashMap<Key, Remembered>>,
}

/// A Secret, and what it is read as.
type Key = (ObjectRef, CredentialKind);

struct Remembered {
    read: Instant,
    credential: Arc<Credential>,
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

// === impl Secrets ===

impl Secrets {
    pub(super) fn new(api: Arc<dyn ReadSecret>) -> Self {
        Self { api, remembered: Mutex::default() }
    }

    pub(super) async fn read(
        &self,
        id: &ObjectRef,
        kind: CredentialKind,
        metrics: &Metrics,
    ) -> Result<Arc<Credential>, Failed> {
        let key = (id.clone(), kind);
        if let Some(credential) = self.recall(&key) {
            return Ok(credential);
        }
        let secret = self.fetch(id).await.inspect_err(|_| metrics.kubernetes_error("get_secret"))?;
        let credential = Arc::new(credential(id, secret, kind)?);
        self.remember(key, credential.clone());
        Ok(credential)
    }

    fn recall(&self, key: &Key) -> Option<Arc<Credential>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(key).filter(|known| known.read.elapsed() < FRESH).map(|known| known.credential.clone())
    }

    fn remember(&self, key: Key, credential: Arc<Credential>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, Remembered { read: Instant::now(), credential });
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

fn credential(id: &ObjectRef, secret: Secret, kind: CredentialKind) -> Result<Credential, Failed> {
    let proof = proof(&secret.entries, kind)
        .map_err(|problem| unusable(format!("Secret {id} cannot be used: {problem}.")))?;
    Ok(Credential { uid: secret.uid, version: secret.version, proof })
}

/// Keys by name, never whichever comes first (W-37).
fn proof(entries: &BTreeMap<String, SecretSlice<u8>>, kind: CredentialKind) -> Result<Proof, String> {
    match kind {
        CredentialKind::Password => password(entries).map(Proof::Secret),
        CredentialKind::Certificate => {
            let certificate = entries.get("certificate").ok_or("it has no key certificate")?;
            Certificate::from_pem(certificate.expose_secret(), Scheme::default())
                .map(Proof::Certificate)
                .map_err(|error| error.to_string())
        }
    }
}

fn password(entries: &BTreeMap<String, SecretSlice<u8>>) -> Result<SecretString, String> {
    let named = entries.get("clientSecret");
    let only = entries.values().next().filter(|_| entries.len() == 1);
    let value = named.or(only).ok_or_else(|| {
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
mod tests {
    use super::*;

    fn secret(entries: &[(&str, &str)]) -> BTreeMap<String, SecretSlice<u8>> {
        let bytes = |value: &str| SecretSlice::from(value.as_bytes().to_vec());
        entries.iter().map(|(key, value)| ((*key).to_owned(), bytes(value))).collect()
    }

    #[test]
    fn w37_a_client_secret_is_found_by_name_or_as_the_only_one() {
        let cases = [
            (vec![("a", "wrong"), ("clientSecret", "right"), ("z", "wrong")], Some("right")),
            (vec![("anything", "only")], Some("only")),
            (vec![("clientSecret", "line\n")], Some("line")),
            (vec![("a", "1"), ("b", "2")], None),
            (vec![("clientSecret", "")], None),
            (vec![], None),
        ];
        for (entries, wanted) in cases {
            let found = password(&secret(&entries)).ok();
            assert_eq!(found.as_ref().map(ExposeSecret::expose_secret), wanted, "{entries:?}");
        }
    }

    #[test]
    fn a_certificate_that_cannot_be_used_is_an_error_that_says_so() {
        for entries in [&[("other", "x")] as &[_], &[("certificate", "no pem")]] {
            assert!(proof(&secret(entries), CredentialKind::Certificate).is_err());
        }
    }
}
