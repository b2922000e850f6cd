//! Which file defines which custom resource?

use super::yaml::{Unwritable, file};
use crate::crd::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException, definition,
};

/// One file per definition.
pub(super) fn files() -> Result<Vec<(&'static str, String)>, Unwritable> {
    Ok(vec![
        ("crds/azureidentity.yaml", file(&[definition::<AzureIdentity>()])?),
        ("crds/azureidentitybinding.yaml", file(&[definition::<AzureIdentityBinding>()])?),
        ("crds/azureassignedidentity.yaml", file(&[definition::<AzureAssignedIdentity>()])?),
        ("crds/azurepodidentityexception.yaml", file(&[definition::<AzurePodIdentityException>()])?),
    ])
}
