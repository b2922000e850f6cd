//! Which processors is there an image for, and what are they called by whom?

use std::fmt;

use clap::ValueEnum;

/// What one image is for. All of them run Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Amd64,
    Arm64,
}

/// What a caller may ask for, in Rust's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    #[value(name = "x86_64")]
    X86_64,
    Aarch64,
    Both,
}

// === impl Platform ===

impl Platform {
    /// That of this machine, if there is an image for it.
    pub(crate) fn of_this_machine() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// OCI's word, which is Go's.
    pub(crate) fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Rust's target: static, with musl's libc.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture())
    }
}

// === impl Choice ===

impl Choice {
    pub(crate) fn of_this_machine() -> Self {
        match Platform::of_this_machine() {
            Some(Platform::Arm64) => Self::Aarch64,
            Some(Platform::Amd64) | None => Self::X86_64,
        }
    }

    pub(crate) fn platforms(self) -> &'static [Platform] {
        match self {
            Self::X86_64 => &[Platform::Amd64],
            Self::Aarch64 => &[Platform::Arm64],
            Self::Both => &[Platform::Amd64, Platform::Arm64],
        }
    }

    /// What stands for the choice in a file's name.
    pub(crate) fn label(self) -> &'static str {
        match self.platforms() {
            [only] => only.architecture(),
            _ => "multi",
        }
    }
}
