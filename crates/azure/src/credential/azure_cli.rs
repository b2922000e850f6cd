//! How does the Azure CLI give a token of whoever logged in with it, and in which ways can it fail?
//!
//! `az account get-access-token` is run as a child process with a deadline, without input and from the
//! root directory. What it prints on its standard output holds the token, so none of that is ever told.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::process::Command;

use crate::entra::error_number;
use crate::token::Token;

/// Longest time for one answer. `az` is a Python program and may have to ask Entra.
const DEADLINE: Duration = Duration::from_secs(30);

/// The life of a token where an old `az` does not say when it ends in seconds.
const UNTOLD: Duration = Duration::from_mins(5);

/// Longest part of its words that is passed on.
const LONGEST: usize = 300;

/// The Azure CLI of this machine.
#[derive(Clone, Debug)]
pub struct AzureCli {
    program: PathBuf,
    path: Option<OsString>,
    deadline: Duration,
    account: Arc<Mutex<Account>>,
}

/// Whom the CLI has logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its current subscription.
    pub subscription: Option<String>,
    /// That subscription's tenant.
    pub tenant: Option<String>,
}

/// Why the Azure CLI gave no token. Each text says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("the Azure CLI is not installed (no program az in PATH)")]
    NotInstalled,
    /// Nobody has logged in with it.
    #[error("nobody is logged in with the Azure CLI; run: az login")]
    NotLoggedIn,
    /// The login is over, or Entra wants more of it.
    #[error("the login of the Azure CLI is not valid any more{}; run: {command}", number(*code))]
    Expired {
        /// Entra's number (`AADSTS…`), if it told one.
        code: Option<u32>,
        /// What `az` wants to have run.
        command: String,
    },
    /// It did not answer in time.
    #[error("the Azure CLI did not answer within {} s; see whether this does: az account get-access-token", .0.as_secs())]
    Slow(Duration),
    /// It failed in another way, or said something that is no token.
    #[error("the Azure CLI gave no token: {0}; see for yourself: az account get-access-token")]
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: SecretString,
    #[serde(rename = "expires_on")]
    expires_on: Option<i64>,
    subscription: Option<String>,
    tenant: Option<String>,
    token_type: Option<String>,
}

// === impl AzureCli ===

impl AzureCli {
    /// The `az` that is found in `path` (the `PATH` variable), or nowhere.
    pub fn new(path: Option<OsString>) -> Self {
        Self { program: "az".into(), path, deadline: DEADLINE, account: Arc::default() }
    }

    /// The same with another deadline.
    #[cfg(test)]
    pub(crate) fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Whom it has logged in, as it said with the last token.
    pub fn account(&self) -> Account {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks once for a token for `resource`.
    pub async fn token(&self, resource: &str) -> Result<Token, Error> {
        let output = self.run(resource).await?;
        if !output.status.success() {
            return Err(judge(&String::from_utf8_lossy(&output.stderr)));
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|_| Error::Failed("its answer is not what was expected".to_owned()))?;
        let account = Account { subscription: answer.subscription.clone(), tenant: answer.tenant.clone() };
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = account;
        answer.token(resource, Timestamp::now())
    }

    async fn run(&self, resource: &str) -> Result<Output, Error> {
        let program = self.find().ok_or(Error::NotInstalled)?;
        let mut command = Command::new(program);
        command
            .args(["account", "get-access-token", "--output", "json", "--resource", resource])
            .env("AZURE_CORE_NO_COLOR", "true")
            // A relative entry of PATH, or a module in the directory of whoever runs this, must not run.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        match tokio::time::timeout(self.deadline, command.output()).await {
            Err(_) => Err(Error::Slow(self.deadline)),
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(Error::Failed(format!("it cannot be started: {error}"))),
        }
    }

    fn find(&self) -> Option<PathBuf> {
        let folders = std::env::split_paths(self.path.as_ref()?).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(&self.program)).find(|program| program.is_file())
    }
}

// === impl Answer ===

impl Answer {
    fn token(self, resource: &str, now: Timestamp) -> Result<Token, Error> {
        if self.access_token.expose_secret().is_empty() {
            return Err(Error::Failed("its answer holds no token".to_owned()));
        }
        let told = self.expires_on.and_then(|seconds| Timestamp::from_second(seconds).ok());
        let life = told.map_or(UNTOLD, |end| Duration::try_from(end.duration_since(now)).unwrap_or_default());
        Ok(Token {
            access_token: self.access_token,
            expires_on: told.unwrap_or_else(|| now.saturating_add(life).unwrap_or(now)),
            life,
            refresh_in: None,
            not_before: None,
            token_type: self.token_type.unwrap_or_else(|| "Bearer".to_owned()),
            resource: resource.to_owned(),
            client_id: None,
        })
    }
}

/// What the words of a failed `az` mean.
fn judge(words: &str) -> Error {
    let has = |text: &str| words.contains(text);
    let code = error_number(words);
    if code.is_some() || has("refresh token") || has("re-authenticate") || has("Interactive authentication") {
        return Error::Expired { code, command: command(words) };
    }
    if has("az login") || has("az account set") {
        return Error::NotLoggedIn;
    }
    let line = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    Error::Failed(line.trim_start_matches("ERROR: ").chars().take(LONGEST).collect())
}

/// The command with which `az` wants the login repeated: the line that it prints, if it can be pasted.
fn command(words: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '"' | '.' | '/' | ':' | '_');
    words
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("az login") && line.len() < LONGEST && line.chars().all(fits))
        .unwrap_or("az login")
        .to_owned()
}

fn number(code: Option<u32>) -> String {
    code.map(|code| format!(" (AADSTS{code})")).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with a program `az` that is this shell script.
    pub(crate) fn az(script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        // Written under another name and linked: a file that is open for writing elsewhere cannot be run.
        let (draft, program) = (folder.path().join("draft"), folder.path().join("az"));
        std::fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(draft, program).unwrap();
        folder
    }

    fn cli(folder: &tempfile::TempDir) -> AzureCli {
        AzureCli::new(Some(folder.path().as_os_str().to_owned()))
    }

    const RESOURCE: &str = "https://management.azure.com/";

    #[tokio::test]
    async fn the_token_of_whoever_logged_in_is_taken_with_its_end_and_subscription() {
        let folder = az(
            r#"[ "$*" = "account get-access-token --output json --resource https://management.azure.com/" ] || exit 9
[ "$PWD" = / ] || exit 8
echo '{"accessToken":"t0ken","expiresOn":"2033-05-18 03:33:20.000000","expires_on":2000000000,"subscription":"sub","tenant":"ten","tokenType":"Bearer"}'"#,
        );
        let cli = cli(&folder);
        let token = cli.token(RESOURCE).await.unwrap();
        assert_eq!(token.access_token.expose_secret(), "t0ken");
        assert_eq!(token.expires_on.as_second(), 2_000_000_000);
        let account = Account { subscription: Some("sub".into()), tenant: Some("ten".into()) };
        assert_eq!(cli.account(), account);
    }

    #[tokio::test]
    async fn a_token_of_an_old_az_is_not_trusted_for_long() {
        let folder = az(r#"echo '{"accessToken":"t","expiresOn":"2033-05-18 03:33:20.000000"}'"#);
        assert_eq!(cli(&folder).token(RESOURCE).await.unwrap().life, UNTOLD);
    }

    #[test]
    fn its_words_are_told_apart_by_what_to_do() {
        let expired = |code, command: &str| Error::Expired { code, command: command.to_owned() };
        let cases = [
            ("ERROR: Please run 'az login' to setup account.", Error::NotLoggedIn),
            ("Please run \"az login\" to access your accounts.", Error::NotLoggedIn),
            (
                "ERROR: AADSTS700082: The refresh token has expired due to inactivity.\nInteractive \
                 authentication is needed. Please run:\naz login --tenant \"ab-1\" --scope \
                 \"https://management.core.windows.net//.default\"\n",
                expired(
                    Some(700_082),
                    "az login --tenant \"ab-1\" --scope \"https://management.core.windows.net//.default\"",
                ),
            ),
            ("AADSTS50076: multi-factor\naz login; rm -rf /", expired(Some(50076), "az login")),
            ("To re-authenticate, please run:\naz login", expired(None, "az login")),
            ("ERROR: disk full\nmore", Error::Failed("disk full".into())),
            ("", Error::Failed("it said nothing".into())),
        ];
        for (words, expected) in cases {
            assert_eq!(judge(words), expected, "{words}");
        }
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        let folder = az("exec sleep 600");
        let cli = cli(&folder).within(Duration::from_millis(50));
        assert_eq!(cli.token(RESOURCE).await.unwrap_err(), Error::Slow(Duration::from_millis(50)));
    }

    #[tokio::test]
    async fn no_program_and_nonsense_are_told_without_showing_what_was_printed() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(cli(&empty).token(RESOURCE).await.unwrap_err(), Error::NotInstalled);
        assert_eq!(AzureCli::new(None).token(RESOURCE).await.unwrap_err(), Error::NotInstalled);
        for script in
            [r"echo 's3cret'", r#"echo '{"accessToken":["s3cret"]}'"#, r#"echo '{"accessToken":""}'"#]
        {
            let error = cli(&az(script)).token(RESOURCE).await.unwrap_err();
            assert!(matches!(error, Error::Failed(_)), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }

    #[tokio::test]
    async fn an_az_in_the_current_directory_is_not_run() {
        let relative = AzureCli::new(Some(".:bin".into()));
        assert_eq!(relative.token(RESOURCE).await.unwrap_err(), Error::NotInstalled);
    }
}
