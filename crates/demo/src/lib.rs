//! The demo application of the tutorial: asks for tokens the way a workload does.
