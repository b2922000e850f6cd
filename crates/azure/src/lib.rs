//! Clients of IMDS, Entra and ARM; clouds, credentials, and the driver of the token cache.
