//! With which code does a command end?
//!
//! One meaning for all commands, so that a script need not know which one it runs. `--help` of each
//! says which of them it uses.

/// All is as it should be.
pub const FINE: u8 = 0;
/// The command failed, or what it looked at is not as it should be.
pub const NOT_FINE: u8 = 1;
/// Wrong usage: nothing was asked and nothing was changed.
pub const USAGE: u8 = 2;
/// The cluster, Azure or a file could not be looked at, so the answer is not known.
pub const NOT_LOOKED_AT: u8 = 3;
