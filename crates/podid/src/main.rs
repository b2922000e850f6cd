//! Pod-managed identity for Kubernetes on Azure: one binary, several names.
//!
//! `podid nmi …` and a link called `nmi` are the same; likewise for `mic` and `demo`, so that the
//! image can stand in for the original's three.

#![cfg_attr(target_os = "linux", allow(unreachable_pub, reason = "the modules of a binary are its own"))]

#[cfg(target_os = "linux")]
mod access;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod addon;
#[cfg(target_os = "linux")]
mod adopt;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod audit;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod cluster;
#[cfg(target_os = "linux")]
mod crds;
#[cfg(target_os = "linux")]
mod demo;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod diagnose;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod disable;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod enable;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod explain;
#[cfg(target_os = "linux")]
mod goflags;
#[cfg(target_os = "linux")]
mod klog;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod lab;
#[cfg(target_os = "linux")]
mod manifests;
#[cfg(target_os = "linux")]
mod mic;
#[cfg(all(test, target_os = "linux"))]
mod monitoring;
#[cfg(target_os = "linux")]
mod nmi;
#[cfg(all(test, target_os = "linux"))]
mod page;
#[cfg(target_os = "linux")]
mod policy;
#[cfg(target_os = "linux")]
mod shell;
#[cfg(target_os = "linux")]
mod taint;
#[cfg(all(test, target_os = "linux", feature = "lab"))]
mod tree;
#[cfg(all(test, target_os = "linux", feature = "lab"))]
mod written;

#[cfg(all(target_os = "linux", target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::run()
}

// Nothing is depended on here, so that this builds in a second instead of failing in a library.
#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!(
        "podid runs on Linux only: it works with the kernel's network namespaces and nftables. \
         Run it in a Linux virtual machine or a privileged container."
    );
    std::process::ExitCode::FAILURE
}
