//! How is a write to be done?

/// How a write is to be done. By default everything is written, silently.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Write {
    pub(super) dry_run: bool,
    pub(super) fields: Fields,
    pub(super) part: Part,
}

/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    #[default]
    Whole,
    /// All but the status, for kinds that have a status path.
    Main,
    /// The status only.
    Status,
}

/// What to do with fields that the schema does not know; they are never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fields {
    #[default]
    Ignore,
    Warn,
    Strict,
}
