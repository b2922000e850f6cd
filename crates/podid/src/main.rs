//! Pod-managed identity for Kubernetes on Azure.

fn main() {}
