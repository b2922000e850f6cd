//! The controller: decides and writes assignments, and puts identities on VMs and scale sets.
