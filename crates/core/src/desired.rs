//! Which assignments should exist?
