//! Does Entra give tokens to applications that prove who they are, and to no others?

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use podid_lab::azure::Application;
use rcgen::{CertificateParams, DnType, KeyPair};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{self, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};

use crate::world::{Answer, CLIENT_SECRET, ENTRA, World, claims, tampered};

/// Any RSA key will do for an application; ring cannot make one.
const KEY: &str = include_str!("../../src/azure/lab-only-signing-key.pem");
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn application(world: &World) -> Application {
    let application = world.azure.register_application("app");
    let hour = Duration::from_hours(1);
    world.azure.add_client_secret(&application.client_id, CLIENT_SECRET, hour).unwrap();
    application
}

async fn post(world: &World, route: &str, form: &[(&str, &str)]) -> Answer {
    let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let path = format!("/{}/{route}", world.azure.tenant());
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    world.https(ENTRA, "POST", &path, &headers, body).await
}

fn by_secret<'a>(app: &'a Application, secret: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", "client_credentials"), ("client_id", &app.client_id), ("client_secret", secret)]
}

#[tokio::test]
async fn both_generations_give_a_token_for_a_secret() {
    let world = World::new().await;
    let app = application(&world);
    let mut form = by_secret(&app, CLIENT_SECRET);
    form.push(("resource", "https://vault.azure.net"));
    let v1 = post(&world, "oauth2/token?api-version=1.0", &form).await;
    assert_eq!((v1.status, &v1.json["expires_in"]), (200, &json!("3600")));
    assert_eq!(v1.json["resource"], "https://vault.azure.net");

    let mut form = by_secret(&app, CLIENT_SECRET);
    form.push(("scope", "https://vault.azure.net/.default openid"));
    let v2 = post(&world, "oauth2/v2.0/token", &form).await;
    assert_eq!((v2.status, &v2.json["expires_in"]), (200, &json!(3600)));
    for answer in [v1, v2] {
        let claims = claims(answer.json["access_token"].as_str().unwrap());
        assert_eq!(claims["aud"], "https://vault.azure.net");
        assert_eq!((&claims["appid"], &claims["oid"]), (&json!(app.client_id), &json!(app.principal_id)));
        assert_eq!((&claims["appidacr"], claims.get("xms_mirid")), (&json!("1"), None));
    }
}

#[tokio::test]
async fn a_request_that_proves_nothing_is_refused_with_its_code() {
    let world = World::new().await;
    let app = application(&world);
    let resource = ("resource", "https://vault.azure.net");
    let scope = ("scope", "https://vault.azure.net/.default");
    let (v1, v2) = ("oauth2/token", "oauth2/v2.0/token");
    let with = |mut form: Vec<(&'static str, String)>, key: &'static str, value: Option<&str>| {
        form.retain(|(known, _)| *known != key);
        form.extend(value.map(|value| (key, value.to_owned())));
        form
    };
    let good: Vec<(&'static str, String)> = vec![
        ("grant_type", "client_credentials".into()),
        ("client_id", app.client_id.clone()),
        ("client_secret", CLIENT_SECRET.into()),
        (resource.0, resource.1.into()),
        (scope.0, scope.1.into()),
    ];
    let cases = [
        (v1, "client_secret", Some("wrong"), 401, "invalid_client", 7_000_215),
        (v1, "client_secret", None, 401, "invalid_client", 7_000_216),
        (v1, "client_id", Some("nobody"), 400, "unauthorized_client", 700_016),
        (v1, "client_id", None, 400, "invalid_request", 900_144),
        (v1, "grant_type", None, 400, "invalid_request", 900_144),
        (v1, "grant_type", Some("password"), 400, "unsupported_grant_type", 70003),
        (v1, "resource", None, 400, "invalid_request", 900_144),
        (v1, "resource", Some("https://example.com"), 400, "invalid_resource", 500_011),
        (v2, "scope", None, 400, "invalid_request", 900_144),
        (v2, "scope", Some("https://vault.azure.net"), 400, "invalid_scope", 1_002_012),
        (v2, "scope", Some("https://example.com/.default"), 400, "invalid_resource", 500_011),
    ];
    for (route, key, value, status, error, code) in cases {
        let form = with(good.clone(), key, value);
        let form: Vec<_> = form.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let answer = post(&world, route, &form).await;
        let (found_status, found_error, text) = answer.oauth();
        assert_eq!((found_status, found_error), (status, error), "{key} {value:?}: {}", answer.text);
        assert_eq!(answer.json["error_codes"], json!([code]), "{key} {value:?}");
        assert!(text.starts_with(&format!("AADSTS{code}: ")) && text.contains("Trace ID: "), "{text}");
    }
}

#[tokio::test]
async fn an_expired_secret_is_told_from_a_wrong_one() {
    let world = World::new().await;
    let app = application(&world);
    world.azure.advance(Duration::from_hours(1));
    let mut form = by_secret(&app, CLIENT_SECRET);
    form.push(("resource", "https://vault.azure.net"));
    assert_eq!(post(&world, "oauth2/token", &form).await.json["error_codes"], json!([7_000_222]));
}

#[tokio::test]
async fn another_tenant_is_not_found() {
    let world = World::new().await;
    let answer = world.https(ENTRA, "POST", "/other/oauth2/token", &[], "").await;
    assert_eq!((answer.status, &answer.json["error_codes"]), (400, &json!([90002])));
    assert_eq!(world.https(ENTRA, "POST", "/common/oauth2/token", &[], "").await.status, 404);
}

#[tokio::test]
async fn the_published_keys_verify_the_tokens() {
    let world = World::new().await;
    let tenant = world.azure.tenant();
    let get = async |path: String| world.https(ENTRA, "GET", &path, &[], "").await.json;
    let token = world.mic_token().await;
    for document in ["v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"] {
        let configuration = get(format!("/{tenant}/{document}")).await;
        let keys =
            configuration["jwks_uri"].as_str().unwrap().strip_prefix("https://login.microsoftonline.com");
        let keys = get(keys.unwrap().to_owned()).await;
        let number =
            |name: &str| BASE64_URL_SAFE_NO_PAD.decode(keys["keys"][0][name].as_str().unwrap()).unwrap();
        let public = signature::RsaPublicKeyComponents { n: number("n"), e: number("e") };
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
    }
    let v1 = get(format!("/{tenant}/.well-known/openid-configuration")).await;
    assert_eq!(v1["issuer"], claims(&token)["iss"]);
    let instance = get("/common/discovery/instance?api-version=1.1".into()).await;
    assert!(instance["tenant_discovery_endpoint"].as_str().unwrap().contains(&tenant));
}

/// An application's certificate and the assertions that it signs.
struct Signer {
    key: RsaKeyPair,
    certificate: CertificateDer<'static>,
}

impl Signer {
    fn new(name: &str) -> Self {
        let pair = KeyPair::from_pem(KEY).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&pair).unwrap().der().clone();
        let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        Self { key: RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap(), certificate }
    }

    fn sign(&self, header: &Value, claims: &Value, encoding: &'static dyn RsaEncoding) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// As the original signs: RS256, SHA-1 thumbprint with padding, the certificate along with it.
    fn rs256(&self, claims: &Value) -> String {
        let thumbprint = BASE64_URL_SAFE.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.certificate));
        self.sign(&json!({"typ": "JWT", "alg": "RS256", "x5t": thumbprint}), claims, &RSA_PKCS1_SHA256)
    }

    /// As MSAL signs today: PS256 and a SHA-256 thumbprint.
    fn ps256(&self, claims: &Value) -> String {
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.certificate));
        self.sign(&json!({"typ": "JWT", "alg": "PS256", "x5t#S256": thumbprint}), claims, &RSA_PSS_SHA256)
    }
}

fn assertion_claims(world: &World, app: &Application) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let audience = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", world.azure.tenant());
    json!({"aud": audience, "iss": app.client_id, "sub": app.client_id, "jti": "1", "nbf": now, "exp": now + 600})
}

async fn by_assertion(world: &World, app: &Application, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", app.client_id.as_str()),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
        ("scope", "https://management.azure.com//.default"),
    ];
    post(world, "oauth2/v2.0/token", &form).await
}

#[tokio::test]
async fn an_assertion_signed_with_the_registered_certificate_is_believed() {
    let world = World::new().await;
    let (app, signer) = (application(&world), Signer::new("app"));
    world.azure.add_client_certificate(&app.client_id, signer.certificate.clone()).unwrap();
    let claims_of = assertion_claims(&world, &app);
    for assertion in [signer.rs256(&claims_of), signer.ps256(&claims_of)] {
        let answer = by_assertion(&world, &app, &assertion).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let claims = claims(answer.json["access_token"].as_str().unwrap());
        assert_eq!(
            (&claims["aud"], &claims["appidacr"]),
            (&json!("https://management.azure.com/"), &json!("2"))
        );
    }
}

#[tokio::test]
async fn any_other_assertion_is_refused() {
    let world = World::new().await;
    let (app, signer, stranger) = (application(&world), Signer::new("app"), Signer::new("stranger"));
    world.azure.add_client_certificate(&app.client_id, signer.certificate.clone()).unwrap();
    let good = assertion_claims(&world, &app);
    let but = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signer.rs256(&claims)
    };
    let now = jiff::Timestamp::now().as_second();
    let unsigned = signer.sign(&json!({"alg": "none"}), &good, &RSA_PKCS1_SHA256);
    let cases = [
        ("tampered", tampered(&signer.rs256(&good)), 700_027),
        ("certificate that is not registered", stranger.rs256(&good), 700_027),
        ("audience", but("aud", json!("https://login.microsoftonline.com/other/oauth2/token")), 700_023),
        ("no audience", but("aud", Value::Null), 700_023),
        ("issuer", but("iss", json!("someone")), 700_021),
        ("subject", but("sub", json!("someone")), 700_021),
        ("expired", but("exp", json!(now - 301)), 700_024),
        ("not yet", but("nbf", json!(now + 1000)), 700_024),
        ("no algorithm", unsigned, 50027),
        ("not a JWT", "x".to_owned(), 50027),
    ];
    for (what, assertion, code) in cases {
        let answer = by_assertion(&world, &app, &assertion).await;
        assert_eq!((answer.status, &answer.json["error"]), (401, &json!("invalid_client")), "{what}");
        assert_eq!(answer.json["error_codes"], json!([code]), "{what}");
    }
    assert_eq!(by_assertion(&world, &app, &signer.rs256(&good)).await.status, 200);
}
