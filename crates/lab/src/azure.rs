//! The simulated Azure: IMDS, ARM, Entra and Key Vault.
