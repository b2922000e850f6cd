//! Which VM or scale set is this node?
