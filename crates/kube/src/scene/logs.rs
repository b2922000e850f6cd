//! What does the log of an NMI say that matters to somebody who looks for a cause?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};
use podid_core::chain::{Run, Runner, Seen, Words};
use podid_core::code::Code;
use podid_core::ids::ObjectRef;
use serde_json::Value;

use super::{LIMIT, unseen};
use crate::call::bounded;

/// Lines from the end of the log: some minutes of a busy node.
const LINES: i64 = 500;

/// How the agent reports that its self-test failed.
const REDIRECT: &str = "the redirect does not work";
/// How the agent says that it does not start on kubenet.
const KUBENET: &str = "kubenet";

/// Adds what their logs say to those of `runners` that are in `chosen`.
pub(super) async fn listen(client: &Client, runners: &mut [Runner], chosen: &BTreeSet<ObjectRef>) {
    let asked = runners.iter_mut().filter(|one| chosen.contains(&one.workload.id));
    let heard = asked.map(|runner| async move {
        let known = runner.words.take();
        let read = words(client, &runner.workload.id, runner.run != Run::Ready).await;
        runner.words = match (read, known) {
            // The kubelet may have kept what the container said last.
            (Seen::Known(read), Some(Seen::Known(kept))) if read.error.is_none() => {
                Some(Seen::Known(Words { refusals: read.refusals, unnamed: read.unnamed, ..kept }))
            }
            (Seen::Unseen(_), Some(kept)) => Some(kept),
            (read, _) => Some(read),
        };
    });
    join_all(heard).await;
}

async fn words(client: &Client, id: &ObjectRef, sick: bool) -> Seen<Words> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &id.namespace);
    let params = LogParams { tail_lines: Some(LINES), ..LogParams::default() };
    let what = || format!("read the log of pod {id}");
    let now = bounded(what, LIMIT, api.logs(&id.name, &params)).await;
    let text = match now {
        Ok(text) => text,
        Err(error) if !sick => return unseen(&error),
        Err(_) => String::new(),
    };
    let found = read(&text);
    if !sick || found.error.is_some() {
        return Seen::Known(found);
    }
    let before = LogParams { previous: true, ..params };
    match bounded(what, LIMIT, api.logs(&id.name, &before)).await {
        Ok(text) => Seen::Known(read(&text)),
        Err(error) if text.is_empty() => unseen(&error),
        Err(_) => Seen::Known(found),
    }
}

/// Reads a log in either of its formats.
pub(super) fn read(text: &str) -> Words {
    let mut words = Words::default();
    for line in text.lines() {
        let (serious, message, fields) = match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(object)) => of_json(&object),
            _ => of_text(line),
        };
        note(&mut words, &fields);
        if message.contains("a test over a link showed") {
            (words.error, words.redirect) = (None, false);
        } else if serious {
            let error = fields.get("error").map_or(String::new(), |error| format!(": {error}"));
            words.error = Some(format!("{message}{error}").into());
            words.redirect = message.contains(REDIRECT);
            words.kubenet = line.to_ascii_lowercase().contains(KUBENET);
        }
    }
    words
}

/// Notes how a request ended. A pod's name is there once somebody looked whose it is.
fn note(words: &mut Words, fields: &BTreeMap<String, String>) {
    let code = fields.get("code").and_then(|code| Code::parse(code));
    let at = fields.get("time").and_then(|time| time.parse::<Timestamp>().ok());
    let peer = fields.get("req.remote").or(fields.get("peer")).and_then(|peer| peer.parse::<IpAddr>().ok());
    let pod = fields.get("namespace").zip(fields.get("pod")).filter(|(_, pod)| !pod.is_empty());
    match (pod, peer, code) {
        (Some((namespace, pod)), peer, code) => {
            let id = ObjectRef::new(namespace.as_str(), pod.as_str());
            words.refusals.remove(&id);
            words.refusals.extend(code.map(|code| (id, (code, at))));
            if let Some(peer) = peer {
                words.unnamed.remove(&peer);
            }
        }
        (None, Some(peer), Some(code)) => {
            words.unnamed.insert(peer, (code, at));
        }
        _ => {}
    }
}

fn of_json(object: &serde_json::Map<String, Value>) -> (bool, String, BTreeMap<String, String>) {
    let mut fields = BTreeMap::new();
    let inner = object.get("fields").and_then(Value::as_object);
    for (key, value) in object.iter().chain(inner.into_iter().flatten()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fields.insert(
            if ["ts", "timestamp"].contains(&&**key) { "time".to_owned() } else { key.clone() },
            text,
        );
    }
    let level = fields.get("level").or(fields.get("severity")).map(|level| level.to_ascii_lowercase());
    let message = fields.get("msg").or(fields.get("message")).cloned().unwrap_or_default();
    (matches!(level.as_deref(), Some("error" | "fatal")), message, fields)
}

/// `E1124 10:31:47.123456 1 file.rs:10] message key=value key="with space"`, or the last words of a program.
fn of_text(line: &str) -> (bool, String, BTreeMap<String, String>) {
    if let Some(last) = line.strip_prefix("podid: ") {
        return (true, last.to_owned(), BTreeMap::new());
    }
    let Some((head, rest)) = line.split_once("] ") else { return (false, String::new(), BTreeMap::new()) };
    let mut fields = BTreeMap::new();
    let mut left = rest;
    while let Some(at) = left.find('=') {
        let key = left[..at].rsplit(' ').next().unwrap_or_default().to_owned();
        let value = &left[at + 1..];
        let (value, end) = if let Some(quoted) = value.strip_prefix('"') {
            let end = quoted.find("\" ").or(quoted.strip_suffix('"').map(str::len)).unwrap_or(quoted.len());
            (&quoted[..end], (end + 2).min(value.len()))
        } else {
            let end = value.find(' ').unwrap_or(value.len());
            (&value[..end], end)
        };
        fields.insert(key, value.to_owned());
        left = &left[at + 1 + end..];
    }
    let message = rest.split('=').next().unwrap_or(rest);
    let message =
        if rest.contains('=') { message.rsplit_once(' ').map_or("", |(text, _)| text) } else { message };
    (head.starts_with('E'), message.to_owned(), fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_each_pod_is_heard_in_both_formats() {
        let text = "I1201 07:00:00.000001 7 record.rs:155] token request namespace=shop pod=web status=400 \
                    outcome=refused code=no-binding reason=\"label x = y\"\n\
                    I1201 07:00:01.000001 7 record.rs:155] token request namespace=shop pod=api status=400 \
                    outcome=refused code=no-label reason=\"why\"\n\
                    I1201 07:00:02.000001 7 record.rs:155] token request namespace=shop pod=api status=200 outcome=served";
        let words = read(text);
        let of = |name: &str| words.refusals.get(&ObjectRef::new("shop", name)).map(|(code, _)| code.word());
        assert_eq!((of("web"), of("api")), (Some("no-binding"), None));
        let json = r#"{"level":"info","ts":"2026-12-01T07:00:00Z","msg":"token request","namespace":"shop","pod":"web","code":"not-granted"}"#;
        let (code, at) = read(json).refusals.remove(&ObjectRef::new("shop", "web")).unwrap();
        assert_eq!((code.word(), at.is_some()), ("not-granted", true));
    }

    #[test]
    fn a_request_that_was_refused_unread_is_known_by_its_address_until_the_next() {
        let refused = r#"{"ts":"2026-12-01T08:05:12Z","level":"info","msg":"request refused","peer":"10.244.2.10","status":400,"code":"bad-query"}"#;
        let address: IpAddr = "10.244.2.10".parse().unwrap();
        assert_eq!(read(refused).unnamed.get(&address).map(|(code, _)| code.word()), Some("bad-query"));
        let served = r#"{"ts":"2026-12-01T08:05:13Z","level":"info","msg":"token request","req.remote":"10.244.2.10","namespace":"shop","pod":"web","status":200}"#;
        assert_eq!(read(&format!("{refused}\n{served}")), Words::default());
    }

    #[test]
    fn a_redirect_that_works_again_is_no_fault() {
        let broken = "E1201 07:00:00.000001 7 proof.rs:1] the redirect does not work; this agent is not ready error=\"no answer\"";
        let words = read(broken);
        assert!(words.redirect);
        assert_eq!(
            words.error.as_deref(),
            Some("the redirect does not work; this agent is not ready: no answer")
        );
        let mended = format!(
            "{broken}\nI1201 07:00:09.000001 7 proof.rs:1] connections to the metadata address reach this agent, as a test over a link showed"
        );
        assert_eq!(read(&mended), Words::default());
    }

    #[test]
    fn the_last_words_of_a_program_are_its_error() {
        let words = read("podid: AAD Pod Identity is not supported for Kubenet: pods on one bridge");
        assert!(words.kubenet && words.error.is_some());
    }
}
