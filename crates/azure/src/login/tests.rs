use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::*;
use crate::cloud::{Authority, Endpoints};
use crate::credential::az;
use crate::fake::{Fake, answer, client, token};

const RESOURCE: &str = "https://management.azure.com/";

/// An Entra and an IMDS in one, and variables that lead to them.
struct Stage {
    fake: Fake,
    variables: BTreeMap<&'static str, String>,
}

impl Stage {
    async fn new(variables: &[(&'static str, &str)]) -> Self {
        let fake = Fake::start(|seen, _| {
            if seen.target.starts_with("/metadata/") { token("of-imds") } else { token("of-entra") }
        })
        .await;
        let mut all: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        all.entry("AZURE_POD_IDENTITY_AUTHORITY_HOST").or_insert_with(|| fake.url());
        Self { fake, variables: all }
    }

    fn cloud(&self) -> Cloud {
        let authority = Authority::fake(&self.fake.address.to_string());
        let endpoints = Endpoints { resource_manager: RESOURCE.to_owned(), authority };
        Cloud { name: "Fake".to_owned(), endpoints }
    }

    async fn find(&self) -> Result<Account, Error> {
        find(&client(), &self.cloud(), |name| self.variables.get(name).cloned()).await
    }

    /// The source that was found, and its token.
    async fn found(&self) -> (Source, String) {
        let account = self.find().await.unwrap();
        let token = account.credential.token(RESOURCE).await.unwrap();
        (account.source, token.value.access_token.expose_secret().to_owned())
    }

    /// No IMDS on this machine.
    async fn without_imds(mut self) -> Self {
        let nobody = format!("http://{}", Fake::nobody().await);
        self.variables.insert("AZURE_POD_IDENTITY_AUTHORITY_HOST", nobody);
        self
    }
}

const APPLICATION: [(&str, &str); 2] = [("AZURE_TENANT_ID", "ten"), ("AZURE_CLIENT_ID", "app")];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&APPLICATION, more].concat()
}

const LOGGED_IN: &str = r#"echo '{"accessToken":"of-az","expires_on":4000000000,"subscription":"az-sub"}'"#;

#[tokio::test]
async fn the_first_source_that_is_set_up_is_taken() {
    let cli = az(LOGGED_IN);
    let path = cli.path().to_str().unwrap().to_owned();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "assertion").unwrap();
    let file = file.path().to_str().unwrap().to_owned();
    let entra = "of-entra";
    let cases: [(&[&str], Source, &str); 4] = [
        (&["AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "PATH"], Source::Environment, entra),
        (&["AZURE_FEDERATED_TOKEN_FILE", "PATH"], Source::TokenFile, entra),
        (&["PATH"], Source::AzureCli, "of-az"),
        (&[], Source::ManagedIdentity, "of-imds"),
    ];
    for (set, source, token) in cases {
        let mut stage = Stage::new(&APPLICATION).await;
        for name in set {
            let value = match *name {
                "PATH" => path.clone(),
                "AZURE_FEDERATED_TOKEN_FILE" => file.clone(),
                _ => "s3cret".to_owned(),
            };
            stage.variables.insert(name, value);
        }
        assert_eq!(stage.found().await, (source, token.to_owned()), "{set:?}");
    }
}

#[tokio::test]
async fn a_certificate_signs_for_the_service_principal() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/entra/testdata/certificate.pem");
    let stage = Stage::new(&with(&[("AZURE_CLIENT_CERTIFICATE_PATH", path)])).await;
    assert_eq!(stage.found().await.0, Source::Environment);
    assert!(stage.fake.seen()[0].body.contains("client_assertion="));

    let stage = Stage::new(&with(&[("AZURE_CLIENT_CERTIFICATE_PATH", "/nonexistent.pem")])).await;
    let error = stage.find().await.unwrap_err().to_string();
    assert!(error.contains("/nonexistent.pem") && error.contains("AZURE_CLIENT_CERTIFICATE_PATH"), "{error}");
}

#[tokio::test]
async fn a_client_id_alone_chooses_the_managed_identity() {
    let stage = Stage::new(&[("AZURE_CLIENT_ID", "c-7")]).await;
    assert_eq!(stage.found().await.0, Source::ManagedIdentity);
    assert!(stage.fake.seen()[0].target.contains("client_id=c-7"));
}

#[tokio::test]
async fn the_subscription_is_the_one_that_is_set_else_the_one_of_the_cli() {
    let cli = az(LOGGED_IN);
    let mut stage = Stage::new(&[("PATH", cli.path().to_str().unwrap())]).await;
    assert_eq!(stage.find().await.unwrap().subscription.as_deref(), Some("az-sub"));
    stage.variables.insert("AZURE_SUBSCRIPTION_ID", "mine".to_owned());
    assert_eq!(stage.find().await.unwrap().subscription.as_deref(), Some("mine"));
}

#[tokio::test]
async fn half_a_service_principal_is_named_and_nobody_else_is_used() {
    for (set, missing) in [
        (vec![("AZURE_CLIENT_SECRET", "s3cret"), APPLICATION[1]], "AZURE_TENANT_ID"),
        (vec![("AZURE_CLIENT_SECRET", "s3cret"), APPLICATION[0]], "AZURE_CLIENT_ID"),
        (vec![("AZURE_FEDERATED_TOKEN_FILE", "/f"), APPLICATION[0]], "AZURE_CLIENT_ID"),
    ] {
        let stage = Stage::new(&set).await;
        let error = stage.find().await.unwrap_err();
        assert!(matches!(error, Error::Incomplete { missing: told, .. } if told == missing), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        assert!(stage.fake.seen().is_empty());
    }
}

#[tokio::test]
async fn an_expired_login_ends_the_search_and_says_how_to_renew_it() {
    let cli = az("echo 'ERROR: AADSTS700082: The refresh token has expired' >&2; exit 1");
    let stage = Stage::new(&[("PATH", cli.path().to_str().unwrap())]).await;
    let error = stage.find().await.unwrap_err().to_string();
    let expected = "the login of the Azure CLI is not valid any more (AADSTS700082); run: az login";
    assert_eq!(error, expected);
    assert!(stage.fake.seen().is_empty(), "the machine's identity is not used in its place");
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_where_it_was_looked_and_what_to_run() {
    let cli = az("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    let stage = Stage::new(&[("PATH", cli.path().to_str().unwrap())]).await.without_imds().await;
    let error = stage.find().await.unwrap_err();
    let Error::Nobody(passed) = &error else { panic!("{error:?}") };
    assert_eq!(passed.iter().map(|one| one.source).collect::<Vec<_>>(), Source::ALL);
    let text = error.to_string();
    assert!(text.starts_with("nobody is logged in to Azure; run: az login (looked for: "), "{text}");
    assert!(text.contains("Azure CLI: nobody is logged in"), "{text}");
}

#[tokio::test]
async fn who_may_be_asked_can_be_chosen() {
    let cli = az(LOGGED_IN);
    let path = cli.path().to_str().unwrap();
    let cases = [
        ("AzureCliCredential", Ok(Source::AzureCli)),
        ("dev", Ok(Source::AzureCli)),
        ("ManagedIdentityCredential", Ok(Source::ManagedIdentity)),
        ("prod", Ok(Source::Environment)),
        ("WorkloadIdentityCredential", Err("federated token file")),
        ("Mars", Err("AZURE_TOKEN_CREDENTIALS is \"Mars\"")),
    ];
    for (choice, expected) in cases {
        let set = [("PATH", path), ("AZURE_CLIENT_SECRET", "s"), ("AZURE_TOKEN_CREDENTIALS", choice)];
        let stage = Stage::new(&[&APPLICATION, &set[..]].concat()).await;
        match (stage.find().await, expected) {
            (Ok(account), Ok(source)) => assert_eq!(account.source, source, "{choice}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{choice}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn an_identity_that_is_there_and_in_trouble_is_not_passed_over() {
    let fake = Fake::start(|_, _| answer(429, &[("retry-after", "1")], "")).await;
    let mut stage = Stage::new(&[]).await;
    stage.variables.insert("AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.url());
    let error = stage.find().await.unwrap_err();
    assert!(matches!(error, Error::Failed { from: Source::ManagedIdentity, .. }), "{error:?}");
}

#[test]
fn the_cloud_is_the_argument_s_else_the_variable_s_else_the_public_one() {
    let set = |name: &str| (name == CLOUD_VARIABLE).then(|| "AzureChinaCloud".to_owned());
    assert_eq!(cloud(None, |_| None).unwrap(), Cloud::public());
    assert_eq!(cloud(None, set).unwrap().name, "AzureChinaCloud");
    assert_eq!(cloud(Some("AzureUSGovernment"), set).unwrap().name, "AzureUSGovernmentCloud");
    assert!(cloud(Some("Mars"), |_| None).is_err());
    assert!(matches!(cloud(Some("AzureStackCloud"), |_| None), Err(InvalidCloud::NoFile)));
}
