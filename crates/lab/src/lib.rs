//! A simulated Azure and Kubernetes on one machine, in which the shipped binary runs.
