//! The embedded Kubernetes API: small, but the same wherever the real one is asked the same.
