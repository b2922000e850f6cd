//! Under which host names does each service answer?

pub(crate) const ARM_HOSTS: &[&str] = &["management.azure.com", "management.core.windows.net"];
pub(crate) const ENTRA_HOSTS: &[&str] =
    &["login.microsoftonline.com", "login.windows.net", "sts.windows.net"];
pub(crate) const VAULT_DOMAIN: &str = ".vault.azure.net";
