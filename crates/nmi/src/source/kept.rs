//! What is kept of a token, so that a cached one is answered by copying bytes?

use std::fmt;
use std::iter;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use podid_azure::token::Token;
use podid_core::ids::{ClientId, PrincipalId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

/// A token, the body that carries it, and whose it is.
pub(crate) struct Kept {
    primary: One,
    /// Those of auxiliary tenants.
    auxiliary: Vec<One>,
    /// The client id, as JSON.
    client_id: String,
    principal: Option<PrincipalId>,
    /// The body that was sent last, and the seconds in it: most of the requests of a busy second share one.
    sent: Mutex<Option<(u64, Bytes)>>,
}

/// One token.
struct One {
    token: Token,
    /// The body up to and behind the digits of `expires_in`, the one field that depends on when it is sent.
    head: String,
    tail: String,
}

/// The fields behind `expires_in`, in the original's order, then the client id, which IMDS tells too.
/// All are strings (peer contract §4.4). `expires_in` stands before `expires_on`, because .NET takes
/// the last of the two.
#[derive(Serialize)]
struct Tail<'a> {
    expires_on: String,
    not_before: String,
    resource: &'a str,
    token_type: &'a str,
    client_id: &'a str,
}

#[derive(Serialize)]
struct Head<'a> {
    access_token: &'a str,
    refresh_token: &'static str,
    expires_in: &'static str,
}

#[derive(Deserialize)]
struct Claims {
    oid: Option<String>,
}

// === impl Kept ===

impl Kept {
    /// `client_id` is the identity's; what the source said of it takes precedence.
    pub(super) fn new(token: Token, client_id: &ClientId) -> Self {
        Self::with(token, vec![], client_id)
    }

    /// A token, and those of auxiliary tenants, which are sent in one list.
    pub(super) fn with(token: Token, auxiliary: Vec<Token>, client_id: &ClientId) -> Self {
        let principal = principal(token.access_token.expose_secret());
        let named = token.client_id.as_ref().unwrap_or(client_id).as_str().to_owned();
        let primary = One::new(token, &named);
        let auxiliary = auxiliary.into_iter().map(|token| One::new(token, &named)).collect();
        let client_id = serde_json::to_string(&named).unwrap_or_default();
        Self { primary, auxiliary, client_id, principal, sent: Mutex::default() }
    }

    /// The body that IMDS would send now, when the token has `left` to live.
    pub(crate) fn body(&self, left: Duration) -> Bytes {
        let seconds = left.as_secs();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sent {
            Some((same, body)) if *same == seconds => body.clone(),
            _ => {
                let body = Bytes::from(self.render(seconds));
                *sent = Some((seconds, body.clone()));
                body
            }
        }
    }

    /// `seconds` is the life left of the one that ends first; the others live longer by as much as they end later.
    fn render(&self, seconds: u64) -> String {
        let mut body = String::with_capacity(self.primary.head.len() + self.primary.tail.len() + 20);
        if self.auxiliary.is_empty() {
            self.primary.render(seconds, &mut body);
            return body;
        }
        let end = self.as_ref().expires_on;
        for one in self.all() {
            body.push(if body.is_empty() { '[' } else { ',' });
            let later = one.token.expires_on.duration_since(end).unsigned_abs().as_secs();
            one.render(seconds.saturating_add(later), &mut body);
        }
        body.push(']');
        body
    }

    fn all(&self) -> impl Iterator<Item = &One> {
        iter::once(&self.primary).chain(&self.auxiliary)
    }

    /// The body of the host token route (peer contract §4.7).
    pub(crate) fn host_body(&self, left: Duration) -> String {
        format!(r#"{{"token":{},"clientid":{}}}"#, self.render(left.as_secs()), self.client_id)
    }

    /// The object id that the token itself names.
    pub(crate) fn principal(&self) -> Option<&PrincipalId> {
        self.principal.as_ref()
    }
}

impl AsRef<Token> for Kept {
    /// The one that ends first.
    fn as_ref(&self) -> &Token {
        let first = self.all().min_by_key(|one| one.token.expires_on);
        &first.unwrap_or(&self.primary).token
    }
}

// === impl One ===

impl One {
    fn new(token: Token, client_id: &str) -> Self {
        let access_token = token.access_token.expose_secret();
        let head = Head { access_token, refresh_token: "", expires_in: "" };
        let tail = Tail {
            expires_on: token.expires_on.as_second().to_string(),
            not_before: token.not_before.map(|start| start.as_second().to_string()).unwrap_or_default(),
            resource: &token.resource,
            token_type: &token.token_type,
            client_id,
        };
        // Structs of strings always serialize: `{"access_token":…,"expires_in":""}` and `{"expires_on":…}`.
        let mut head = serde_json::to_string(&head).unwrap_or_default();
        head.truncate(head.len().saturating_sub("\"}".len()));
        let tail = serde_json::to_string(&tail).unwrap_or_default().replacen('{', "\",", 1);
        Self { token, head, tail }
    }

    fn render(&self, seconds: u64, body: &mut String) {
        body.push_str(&self.head);
        body.push_str(&seconds.to_string());
        body.push_str(&self.tail);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept([redacted])")
    }
}

/// The `oid` claim of a token that is a JWT. Nothing is verified: the source just gave it to us.
fn principal(token: &str) -> Option<PrincipalId> {
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    PrincipalId::parse(&claims.oid?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn kept(access_token: &str, more: &str) -> Kept {
        let answer = format!(
            r#"{{"access_token":"{access_token}","expires_on":"1700086399","expires_in":"86399"{more}}}"#
        );
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let token = Token::parse(answer.as_bytes(), "https://vault.azure.net", now).unwrap();
        Kept::new(token, &ClientId::parse("own-id").unwrap())
    }

    #[test]
    fn a_token_has_seven_string_fields_in_the_original_order_and_the_client_id() {
        let body = kept("t0ken", r#","not_before":1699999999"#).body(Duration::from_secs(77));
        assert_eq!(
            body,
            r#"{"access_token":"t0ken","refresh_token":"","expires_in":"77","expires_on":"1700086399","not_before":"1699999999","resource":"https://vault.azure.net","token_type":"Bearer","client_id":"own-id"}"#
        );
    }

    #[test]
    fn expires_in_is_the_life_left_now_and_never_empty() {
        let kept = kept("t0ken", "");
        for seconds in [86_399, 1, 1, 0] {
            let body: serde_json::Value =
                serde_json::from_slice(&kept.body(Duration::from_secs(seconds))).unwrap();
            assert_eq!(body["expires_in"], seconds.to_string());
        }
    }

    #[test]
    fn the_host_token_route_wraps_the_token_and_names_the_client_id() {
        let body = kept("t0ken", "").host_body(Duration::from_secs(1));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (body["token"]["access_token"].as_str(), body["clientid"].as_str()),
            (Some("t0ken"), Some("own-id"))
        );
    }

    #[test]
    fn tokens_of_auxiliary_tenants_follow_the_primary_ones_in_a_list_and_each_tells_its_own_life() {
        let token = |name: &str, expires_on: i64| {
            let answer = format!(r#"{{"access_token":"{name}","expires_on":"{expires_on}"}}"#);
            let now = Timestamp::from_second(1_700_000_000).unwrap();
            Token::parse(answer.as_bytes(), "r", now).unwrap()
        };
        let client_id = ClientId::parse("own-id").unwrap();
        let auxiliary = vec![token("second", 1_700_003_000), token("third", 1_700_005_000)];
        let kept = Kept::with(token("first", 1_700_004_000), auxiliary, &client_id);
        assert_eq!(kept.as_ref().expires_on.as_second(), 1_700_003_000);
        let body: serde_json::Value = serde_json::from_slice(&kept.body(Duration::from_secs(100))).unwrap();
        let told: Vec<_> = body
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["access_token"].as_str().unwrap(), one["expires_in"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [("first", "1100"), ("second", "100"), ("third", "2100")]);
    }

    #[test]
    fn what_the_source_says_of_the_client_id_is_repeated() {
        let body = kept("t", r#","client_id":"from-imds""#).body(Duration::ZERO);
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.contains(r#""client_id":"from-imds""#), "{body}");
    }

    #[test]
    fn a_resource_cannot_break_out_of_its_string() {
        let body = kept("t", r#","resource":"r\",\"access_token\":\"forged""#).body(Duration::ZERO);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["access_token"], "t");
    }

    #[test]
    fn the_object_id_is_read_from_the_token_if_it_has_one() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"oid":"OBJECT"}"#);
        let with = kept(&format!("h.{payload}.s"), "");
        assert_eq!(with.principal(), PrincipalId::parse("object").ok().as_ref());
        for opaque in ["opaque", "a.b.c", "a.e30.c"] {
            assert_eq!(kept(opaque, "").principal(), None);
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        assert!(!format!("{:?}", kept("t0ken", "")).contains("t0ken"));
    }
}
