use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::registry::Registry;
use tokio::time::{advance, sleep};

use super::*;

const PFX: &[u8] = include_bytes!("../../../../azure/src/entra/testdata/pfx/modern.pfx");
const PEM: &[u8] = include_bytes!("../../../../azure/src/entra/testdata/certificate.pem");

fn secret(entries: &[(&str, &str)]) -> BTreeMap<String, SecretSlice<u8>> {
    let bytes = |value: &str| SecretSlice::from(value.as_bytes().to_vec());
    entries.iter().map(|(key, value)| ((*key).to_owned(), bytes(value))).collect()
}

#[test]
fn w37_a_client_secret_is_found_by_name_or_as_the_only_one() {
    let cases = [
        (vec![("a", "wrong"), ("clientSecret", "right"), ("z", "wrong")], Some("right")),
        (vec![("anything", "only")], Some("only")),
        (vec![("clientSecret", "line\n")], Some("line")),
        (vec![("a", "1"), ("b", "2")], None),
        (vec![("clientSecret", "")], None),
        (vec![], None),
    ];
    for (entries, wanted) in cases {
        let found = password(&secret(&entries)).ok();
        assert_eq!(found.as_ref().map(ExposeSecret::expose_secret), wanted, "{entries:?}");
    }
}

type Entries<'a> = &'a [(&'a str, &'a [u8])];

fn certificate(entries: Entries<'_>) -> Result<Proof, String> {
    let entries: BTreeMap<String, SecretSlice<u8>> =
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec().into())).collect();
    proof(&entries, CredentialKind::Certificate)
}

#[test]
fn w39_a_certificate_is_pkcs12_with_its_password_or_pem() {
    for entries in
        [&[("certificate", PFX), ("password", b"s3cret".as_slice())] as &[_], &[("certificate", PEM)]]
    {
        assert!(matches!(certificate(entries), Ok(Proof::Certificate(_))));
    }
}

#[test]
fn w39_a_certificate_that_cannot_be_used_is_an_error_that_names_the_key_to_mend() {
    let cases: [(Entries<'_>, &str); 6] = [
        (&[("other", b"x")], "it has no key certificate"),
        (&[("certificate", b"")], "its key certificate is empty"),
        (&[("certificate", b"no pem")], "its key certificate is neither PEM nor PKCS#12 (PFX)"),
        (&[("certificate", PFX)], "with a password; store that as the key password"),
        (&[("certificate", PFX), ("password", b"wrong")], "its key password does not open the PKCS#12 file"),
        (&[("certificate", PFX), ("password", b"\xff")], "its key password is not UTF-8 text"),
    ];
    for (entries, part) in cases {
        let problem = certificate(entries).unwrap_err();
        assert!(problem.contains(part), "{part}: {problem}");
    }
}

/// A Secret that a test changes, in an API that counts.
#[derive(Clone, Default)]
struct Api {
    asked: Arc<AtomicUsize>,
    version: Arc<AtomicUsize>,
    absent: bool,
}

impl ReadSecret for Api {
    fn read<'a>(&'a self, id: &'a ObjectRef) -> BoxFuture<'a, Result<Secret, CallError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let version = self.version.load(Ordering::Relaxed).to_string();
        Box::pin(async move {
            sleep(Duration::from_millis(20)).await;
            if self.absent {
                return Err(CallError::Absent { what: id.to_string() });
            }
            let entries = secret(&[("clientSecret", &format!("s3cret-{version}"))]);
            Ok(Secret { uid: Uid::new("uid"), version, entries })
        })
    }
}

async fn read(secrets: &Secrets) -> Result<String, String> {
    let metrics = Metrics::register(&mut Registry::default());
    let read = secrets.read(&ObjectRef::new("shop", "s"), CredentialKind::Password, &metrics).await;
    match read.map_err(|failed| failed.to_string())?.proof.clone() {
        Proof::Secret(text) => Ok(text.expose_secret().to_owned()),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_secret_is_used_within_seconds_and_a_burst_is_one_read() {
    let api = Api::default();
    let secrets = Secrets::new(Arc::new(api.clone()));
    let burst = futures::future::join_all((0..50).map(|_| read(&secrets))).await;
    assert!(burst.iter().all(|read| read.as_deref() == Ok("s3cret-0")), "{burst:?}");
    assert_eq!(api.asked.load(Ordering::Relaxed), 1);
    api.version.store(1, Ordering::Relaxed);
    advance(FRESH).await;
    assert_eq!(read(&secrets).await.as_deref(), Ok("s3cret-1"));
    assert_eq!(api.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_missing_is_not_asked_for_by_every_request() {
    let api = Api { absent: true, ..Api::default() };
    let secrets = Secrets::new(Arc::new(api.clone()));
    for _ in 0..20 {
        let problem = read(&secrets).await.unwrap_err();
        assert!(problem.contains("Secret shop/s does not exist"), "{problem}");
    }
    assert_eq!(api.asked.load(Ordering::Relaxed), 1);
    advance(PAUSE).await;
    read(&secrets).await.unwrap_err();
    assert_eq!(api.asked.load(Ordering::Relaxed), 2);
}
