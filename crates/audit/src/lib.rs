//! Is this cluster set up right?
//!
//! Rules are data; inputs are files, a subscription or a live cluster; outputs are for people and programs.
