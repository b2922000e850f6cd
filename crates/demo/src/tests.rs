//! Does a round ask the right questions, print the original's lines, and keep secrets to itself?

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;

const TOKEN: &str = "eyJ.the-token.sig";
const CLIENT: &str = "00000000-0000-0000-0000-0000000000c1";

/// An answer to give before the ordinary one: the start of a path, a status and a body.
type Trouble = (&'static str, u16, &'static str);

/// IMDS, ARM and a vault behind one loopback address, all fine unless told otherwise.
#[derive(Clone, Default)]
struct Fake {
    base: String,
    troubles: Arc<Mutex<VecDeque<Trouble>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(troubles: &[Trouble]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let troubles = Arc::new(Mutex::new(troubles.iter().copied().collect()));
        let fake = Self { base, troubles, seen: Arc::default() };
        tokio::spawn(fake.clone().accept(listener));
        fake
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let fake = self.clone();
            let service = service_fn(move |request| {
                let answer = fake.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let all = request.uri().to_string();
        self.seen.lock().unwrap().push(all.clone());
        let mut troubles = self.troubles.lock().unwrap();
        if let Some(at) = troubles.iter().position(|(start, ..)| path.starts_with(start)) {
            let (_, status, body) = troubles.remove(at).unwrap();
            return reply(status, body);
        }
        let metadata = request.headers().get("metadata").is_some_and(|value| value == "true");
        let bearer = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap());
        match path {
            "/metadata/identity/oauth2/token" if metadata => {
                reply(200, &format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer"}}"#))
            }
            "/metadata/instance" if metadata => reply(200, "{}"),
            "/secrets/greeting" if bearer.is_none() => {
                let mut refused = reply(401, "");
                let challenge = format!(r#"Bearer authorization="{0}/tenant", resource="{0}""#, self.base);
                refused.headers_mut().insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
                refused
            }
            _ if bearer != Some(&format!("Bearer {TOKEN}")) => reply(401, ""),
            "/secrets/greeting" => reply(200, r#"{"value":"open sesame"}"#),
            _ if all.contains("virtualMachines") && all.contains("page=2") => {
                reply(200, r#"{"value":[{"name":"c"}]}"#)
            }
            _ if all.contains("virtualMachines") => {
                let next = format!("{}{path}?page=2", self.base);
                reply(200, &format!(r#"{{"value":[{{"name":"a"}},{{"name":"b"}}],"nextLink":"{next}"}}"#))
            }
            _ => reply(404, ""),
        }
    }

    fn config(&self) -> Config {
        Config {
            subscription: "sub".into(),
            resource_group: "group (a)".into(),
            client_id: CLIENT.into(),
            resource: format!("{}/", self.base),
            metadata: self.base.clone(),
            once: true,
            ..Config::default()
        }
    }

    /// The lines of one run, with the fake's address as it would be in a pod, and the outcome.
    async fn run(&self, config: Config) -> (Vec<String>, bool) {
        let mut lines = Vec::new();
        let good = run(config, |line| lines.push(line), std::future::pending()).await;
        let lines = lines.iter().map(|line| line.replace(&self.base, "http://169.254.169.254")).collect();
        (lines, good)
    }

    fn asked(&self, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|url| url.contains(part)).count()
    }
}

fn reply(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply.headers_mut().insert(RETRY_AFTER, "0".parse().unwrap());
    reply
}

#[tokio::test]
async fn prints_the_four_lines_of_the_original() {
    let fake = Fake::start(&[]).await;
    let (lines, good) = fake.run(fake.config()).await;
    assert_eq!(
        lines,
        [
            "successfully doARMOperations vm count 3".to_owned(),
            "successfully acquired a token using the MSI, \
             msiEndpoint(http://169.254.169.254/metadata/identity/oauth2/token)"
                .to_owned(),
            format!(
                "successfully acquired a token, userAssignedID MSI, \
                 msiEndpoint(http://169.254.169.254/metadata/identity/oauth2/token) clientID({CLIENT})"
            ),
            "successfully made GET on instance metadata".to_owned(),
        ]
    );
    assert!(good);
    assert_eq!(fake.asked("resourceGroups/group%20%28a%29/"), 2);
    assert_eq!(fake.asked(&format!("client_id={CLIENT}")), 2);
    assert_eq!(fake.asked("/oauth2/token"), 3);
}

#[tokio::test]
async fn reads_a_secret_after_the_vaults_challenge_and_never_prints_it() {
    let fake = Fake::start(&[]).await;
    let secret = VaultSecret { vault: "kv".into(), url: fake.base.clone(), name: "greeting".into() };
    let (lines, good) = fake.run(Config { secret: Some(secret), ..fake.config() }).await;
    assert_eq!(lines[4], "successfully read secret greeting from kv");
    assert!(good);
    let all = lines.join("\n");
    assert!(!all.contains("sesame") && !all.contains(TOKEN), "{all}");
}

#[tokio::test]
async fn each_failure_is_one_line_with_status_and_reason_and_spoils_the_outcome() {
    let refusal = r#"{"error":"invalid_request","error_description":"Identity\nnot found"}"#;
    let fake = Fake::start(&[
        ("/metadata/identity", 400, refusal),
        ("/metadata/identity", 403, "<html>"),
        ("/metadata/instance", 404, ""),
    ])
    .await;
    let (lines, good) = fake.run(fake.config()).await;
    assert!(!good);
    assert_eq!(lines[0], "failed doARMOperations: status 400: invalid_request: Identity not found");
    assert!(lines[1].ends_with("/token): status 403: no reason given"), "{}", lines[1]);
    assert!(lines[2].starts_with("successfully acquired"));
    assert_eq!(lines[3], "failed to make GET on instance metadata: status 404: no reason given");
}

#[tokio::test]
async fn arms_own_errors_are_named() {
    let denied = r#"{"error":{"code":"AuthorizationFailed","message":"no action virtualMachines/read"}}"#;
    let fake = Fake::start(&[("/subscriptions", 403, denied)]).await;
    let (lines, good) = fake.run(fake.config()).await;
    assert!(!good);
    let line = "failed doARMOperations: status 403: AuthorizationFailed: no action virtualMachines/read";
    assert_eq!(lines[0], line);
}

#[tokio::test]
async fn not_yet_is_asked_again_but_not_forever() {
    let busy = r#"{"error":"service_unavailable","error_description":"not yet"}"#;
    let fake = Fake::start(&[("/metadata/instance", 503, busy), ("/metadata/instance", 429, busy)]).await;
    assert!(fake.run(fake.config()).await.1);
    assert_eq!(fake.asked("/metadata/instance"), 3);

    let fake = Fake::start(&[("/metadata/instance", 503, busy); 3]).await;
    let (lines, good) = fake.run(fake.config()).await;
    assert!(!good);
    assert!(lines[3].ends_with("status 503: service_unavailable: not yet"), "{}", lines[3]);
}

#[tokio::test]
async fn the_token_is_not_sent_to_another_host() {
    let elsewhere = r#"{"value":[],"nextLink":"http://127.0.0.2:9/steal"}"#;
    let fake = Fake::start(&[("/subscriptions", 200, elsewhere)]).await;
    let (lines, good) = fake.run(fake.config()).await;
    assert!(!good);
    assert_eq!(lines[0], "failed doARMOperations: the next page of the list is on another host");
}

#[tokio::test]
async fn missing_arguments_are_named_and_the_other_checks_still_run() {
    let fake = Fake::start(&[]).await;
    let config = Config { subscription: String::new(), client_id: String::new(), ..fake.config() };
    let (lines, good) = fake.run(config).await;
    assert!(!good);
    assert_eq!(lines[0], "failed doARMOperations: give --subscriptionid and --resourcegroup");
    assert!(lines[1].starts_with("successfully"));
    assert!(lines[2].ends_with("clientID(): give --clientid"), "{}", lines[2]);
    assert_eq!(fake.asked("client_id"), 0);
}

#[tokio::test]
async fn runs_round_after_round_until_it_is_stopped() {
    let fake = Fake::start(&[]).await;
    let config = Config { once: false, period: Duration::ZERO, ..fake.config() };
    let (sent, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let stop = async move {
        for _ in 0..9 {
            assert!(lines.recv().await.is_some());
        }
    };
    run(config, move |line| sent.send(line).unwrap_or_default(), stop).await;
    assert!(fake.asked("/metadata/instance") >= 2);
}
