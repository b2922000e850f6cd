//! What does a workload with an identity do, and does it work here?
//!
//! The demo application of the tutorial. One round asks for tokens the way a program in a pod does, uses them
//! against ARM (and a key vault when asked), and prints one line per check: those of the original when it
//! worked, one line that says why when it did not. No line ever holds a token or a secret.

mod ask;
mod checks;
mod config;
mod imds;
mod vault;
mod vms;

use std::future::Future;

use podid_azure::http::{Client, Settings};

pub use self::config::{Config, VaultSecret};

/// Runs rounds until `stop` completes, or a single one if the configuration says so.
///
/// Every line goes to `say`. Returns whether all checks of the last complete round succeeded.
pub async fn run(config: Config, mut say: impl FnMut(String), stop: impl Future<Output = ()>) -> bool {
    let client = Client::new(Settings::new(concat!("podid-demo/", env!("CARGO_PKG_VERSION"))));
    let mut succeeded = true;
    let rounds = async {
        loop {
            succeeded = checks::round(&client, &config, &mut say).await;
            if config.once {
                break;
            }
            tokio::time::sleep(config.period).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = stop => {}
    }
    succeeded
}

#[cfg(test)]
mod tests;
