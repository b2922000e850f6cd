//! What stands behind a pod identity of the add-on's commands, and how is it written?
//!
//! An `AzureIdentity` and an `AzureIdentityBinding` of one name. Nothing of others is touched: an object
//! is created as it should be, or only the fields that podid means are changed, over a version that was
//! read; and it is deleted only as the object that was read.

mod installation;
mod read;
mod write;

pub use installation::{Installed, NotInstalled, installed};
pub use read::{cluster, exceptions, nodes};
pub use write::{
    create_namespace, delete_binding, delete_exception, delete_identity, write_binding, write_exception,
    write_identity,
};

use std::time::Duration;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(15);
