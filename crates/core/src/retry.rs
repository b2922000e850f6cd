//! When again, after this outcome?
