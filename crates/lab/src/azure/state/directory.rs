//! Who exists in the tenant: managed identities, and applications with their secrets and certificates?

use std::collections::BTreeMap;

use jiff::Timestamp;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls_pki_types::CertificateDer;

use crate::azure::id::ArmId;

/// A user-assigned managed identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedIdentity {
    /// ARM id of the resource.
    pub id: ArmId,
    /// Application id.
    pub client_id: String,
    /// Object id of its service principal: what roles are granted to.
    pub principal_id: String,
}

/// An app registration with its service principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Application id.
    pub client_id: String,
    /// Object id of its service principal: what roles are granted to.
    pub principal_id: String,
}

/// The applications by client id in lower case.
#[derive(Default)]
pub(crate) struct Applications(BTreeMap<String, Registration>);

pub(crate) struct Registration {
    pub(crate) application: Application,
    secrets: Vec<(String, Timestamp)>,
    certificates: Vec<CertificateDer<'static>>,
}

/// What a client secret is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretIs {
    Good,
    Expired,
    Unknown,
}

// === impl Applications ===

impl Applications {
    pub(crate) fn register(&mut self, application: Application) {
        let key = application.client_id.to_ascii_lowercase();
        self.0.insert(key, Registration { application, secrets: Vec::new(), certificates: Vec::new() });
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<&Registration> {
        self.0.get(&client_id.to_ascii_lowercase())
    }

    pub(crate) fn find_mut(&mut self, client_id: &str) -> Option<&mut Registration> {
        self.0.get_mut(&client_id.to_ascii_lowercase())
    }

    pub(crate) fn knows_principal(&self, object_id: &str) -> bool {
        self.0.values().any(|known| known.application.principal_id == object_id)
    }
}

// === impl Registration ===

impl Registration {
    pub(crate) fn add_secret(&mut self, secret: String, expires: Timestamp) {
        self.secrets.push((secret, expires));
    }

    pub(crate) fn add_certificate(&mut self, certificate: CertificateDer<'static>) {
        self.certificates.push(certificate);
    }

    pub(crate) fn judge_secret(&self, secret: &str, now: Timestamp) -> SecretIs {
        match self.secrets.iter().find(|(known, _)| known == secret) {
            Some((_, expires)) if now < *expires => SecretIs::Good,
            Some(_) => SecretIs::Expired,
            None => SecretIs::Unknown,
        }
    }

    /// The registered certificate with this SHA-1 or SHA-256 thumbprint.
    pub(crate) fn certificate(&self, thumbprint: &[u8]) -> Option<&CertificateDer<'static>> {
        self.certificates.iter().find(|der| {
            digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref() == thumbprint
                || digest(&SHA256, der).as_ref() == thumbprint
        })
    }
}
