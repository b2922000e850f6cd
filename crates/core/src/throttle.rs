//! May this call go out now, or when?
