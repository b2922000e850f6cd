//! Which custom resources does a mode need?

use kube::CustomResourceExt;
use serde_json::Value;

use super::notes::generated;
use super::yaml::{Unwritable, file, json};
use crate::crd::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException, definition,
};

/// One file per definition.
pub(super) fn files() -> Result<Vec<(&'static str, String)>, Unwritable> {
    Ok(vec![
        ("crds/azureidentity.yaml", file(&generated(&[]), &[object::<AzureIdentity>()?])?),
        ("crds/azureidentitybinding.yaml", file(&generated(&[]), &[object::<AzureIdentityBinding>()?])?),
        ("crds/azureassignedidentity.yaml", file(&generated(&[]), &[object::<AzureAssignedIdentity>()?])?),
        (
            "crds/azurepodidentityexception.yaml",
            file(&generated(&[]), &[object::<AzurePodIdentityException>()?])?,
        ),
    ])
}

pub(super) fn standard() -> Result<Vec<Value>, Unwritable> {
    let mut objects = managed()?;
    objects.push(object::<AzureAssignedIdentity>()?);
    Ok(objects)
}

/// Managed mode has no assignments.
pub(super) fn managed() -> Result<Vec<Value>, Unwritable> {
    Ok(vec![
        object::<AzureIdentity>()?,
        object::<AzureIdentityBinding>()?,
        object::<AzurePodIdentityException>()?,
    ])
}

fn object<K: CustomResourceExt>() -> Result<Value, Unwritable> {
    json(&definition::<K>())
}
