//! The redirect: packets from pods to the metadata address come to NMI instead.
