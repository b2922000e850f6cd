//! Current against desired: which steps, in which order?
