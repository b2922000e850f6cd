//! What may be logged?
