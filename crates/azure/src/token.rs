//! What is a token, and how is it read from the answers of IMDS and Entra?

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use podid_core::ids::ClientId;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// An access token and what its source said about it.
///
/// `Debug` hides the token itself.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub access_token: SecretString,
    /// When it ends.
    pub expires_on: Timestamp,
    /// How long it had to live when it was received. With this, no clock of ours has to be right.
    pub life: Duration,
    /// When its source wants it replaced, counted from when it was received.
    pub refresh_in: Option<Duration>,
    /// When it begins, if the source said so.
    pub not_before: Option<Timestamp>,
    /// How to present it, in practice `Bearer`.
    pub token_type: String,
    /// What it is for: what the source said, else what was asked for.
    pub resource: String,
    /// Whose token the source says it is. IMDS says it, Entra does not.
    pub client_id: Option<ClientId>,
}

/// The answer is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// Not JSON, or a field has another type than it should.
    #[error("the answer is not a token in JSON")]
    Malformed,
    /// `access_token` is missing or empty.
    #[error("the answer holds no access_token")]
    Missing,
    /// Neither `expires_on` nor `expires_in` is a number of seconds.
    #[error("the answer does not say when the token ends")]
    Endless,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    access_token: Option<SecretString>,
    #[serde(default)]
    expires_on: Seconds,
    #[serde(default)]
    expires_in: Seconds,
    #[serde(default)]
    refresh_in: Seconds,
    #[serde(default)]
    not_before: Seconds,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
}

/// Seconds written as a number or as a string of digits; anything else counts as not written.
#[derive(Clone, Copy, Default)]
struct Seconds(Option<u32>);

// === impl Token ===

impl Token {
    /// Reads the `body` of a successful answer to a request for `resource`, received at `now`.
    ///
    /// IMDS writes all values as strings, Entra's v2 endpoint as numbers (SDK matrix §5).
    pub fn parse(body: &[u8], resource: &str, now: Timestamp) -> Result<Self, NotAToken> {
        use secrecy::ExposeSecret;

        let answer: Answer = serde_json::from_slice(body).map_err(|_| NotAToken::Malformed)?;
        let access_token = answer
            .access_token
            .filter(|token| !token.expose_secret().is_empty())
            .ok_or(NotAToken::Missing)?;
        let written_end = answer.expires_on.timestamp();
        let (life, expires_on) = match (answer.expires_in.duration(), written_end) {
            (Some(life), Some(end)) => (life, end),
            (Some(life), None) => (life, now.checked_add(life).map_err(|_| NotAToken::Endless)?),
            (None, Some(end)) => (Duration::try_from(end.duration_since(now)).unwrap_or_default(), end),
            (None, None) => return Err(NotAToken::Endless),
        };
        Ok(Self {
            access_token,
            expires_on,
            life,
            refresh_in: answer.refresh_in.duration(),
            not_before: answer.not_before.timestamp(),
            token_type: answer
                .token_type
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| "Bearer".to_owned()),
            resource: answer.resource.filter(|text| !text.is_empty()).unwrap_or_else(|| resource.to_owned()),
            client_id: answer.client_id.and_then(|text| ClientId::parse(&text).ok()),
        })
    }
}

impl AsRef<Token> for Token {
    fn as_ref(&self) -> &Token {
        self
    }
}

// === impl Seconds ===

impl Seconds {
    fn duration(self) -> Option<Duration> {
        self.0.map(|seconds| Duration::from_secs(seconds.into()))
    }

    fn timestamp(self) -> Option<Timestamp> {
        self.0.and_then(|seconds| Timestamp::from_second(seconds.into()).ok())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tolerant;

        impl Visitor<'_> for Tolerant {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds as a number or a string")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Seconds, E> {
                Ok(Seconds(value.try_into().ok()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Seconds, E> {
                Ok(Seconds(value.try_into().ok()))
            }

            // Some sources write 3599.0; a fraction of a second does not matter.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "in range by the test"
            )]
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Seconds, E> {
                let fits = value >= 0.0 && value <= f64::from(u32::MAX);
                Ok(Seconds(fits.then_some(value as u32)))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Seconds, E> {
                Ok(Seconds(value.trim().parse().ok()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Seconds, E> {
                Ok(Seconds(None))
            }
        }

        deserializer.deserialize_any(Tolerant)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn parse(body: &str) -> Result<Token, NotAToken> {
        Token::parse(body.as_bytes(), "https://asked/", now())
    }

    #[test]
    fn reads_what_imds_writes() {
        let token = parse(
            r#"{"access_token":"t0ken","client_id":"AB-1","expires_in":"86399","expires_on":"1700086399",
                "ext_expires_in":"86399","not_before":"1699999999","resource":"https://vault.azure.net",
                "token_type":"Bearer","refresh_token":""}"#,
        )
        .unwrap();
        assert_eq!(token.access_token.expose_secret(), "t0ken");
        assert_eq!(token.expires_on.as_second(), 1_700_086_399);
        assert_eq!(token.life, Duration::from_secs(86_399));
        assert_eq!(token.not_before.unwrap().as_second(), 1_699_999_999);
        assert_eq!(token.resource, "https://vault.azure.net");
        assert_eq!(token.client_id, ClientId::parse("ab-1").ok());
    }

    #[test]
    fn reads_numbers_and_leaves_out_what_is_missing() {
        let token = parse(r#"{"access_token":"t","expires_in":3599,"refresh_in":1800.0}"#).unwrap();
        assert_eq!(token.life, Duration::from_secs(3599));
        assert_eq!(token.expires_on, now() + Duration::from_secs(3599));
        assert_eq!(token.refresh_in, Some(Duration::from_mins(30)));
        assert_eq!((token.token_type.as_str(), token.resource.as_str()), ("Bearer", "https://asked/"));
        assert_eq!((token.client_id, token.not_before), (None, None));

        let token = parse(r#"{"access_token":"t","expires_on":"1700000100","expires_in":""}"#).unwrap();
        assert_eq!(token.life, Duration::from_secs(100));
    }

    #[test]
    fn a_wrong_clock_does_not_shorten_a_life_that_was_told() {
        let token = parse(r#"{"access_token":"t","expires_on":"1600000000","expires_in":"3600"}"#).unwrap();
        assert_eq!(token.life, Duration::from_hours(1));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let cases = [
            ("", NotAToken::Malformed),
            ("<html>", NotAToken::Malformed),
            ("[]", NotAToken::Missing),
            (r#"{"access_token":7,"expires_in":1}"#, NotAToken::Malformed),
            (r#"{"access_token":"t","expires_in":{}}"#, NotAToken::Malformed),
            ("{}", NotAToken::Missing),
            (r#"{"access_token":"","expires_in":"1"}"#, NotAToken::Missing),
            (r#"{"access_token":"t"}"#, NotAToken::Endless),
            (r#"{"access_token":"t","expires_on":"11/05/2031 15:18:31 +00:00"}"#, NotAToken::Endless),
            (r#"{"access_token":"t","expires_in":-1}"#, NotAToken::Endless),
        ];
        for (body, error) in cases {
            assert_eq!(parse(body).unwrap_err(), error, "{body}");
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let token = parse(r#"{"access_token":"t0ken","expires_in":"1"}"#).unwrap();
        assert!(!format!("{token:?}").contains("t0ken"));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(
            start in proptest::option::of("[0-9a-z\":.,{}-]{0,40}"), number in proptest::num::f64::ANY, text in ".{0,20}",
        ) {
            let _ = parse(&start.unwrap_or_default());
            let _ = parse(&format!(r#"{{"access_token":"t","expires_in":{number},"expires_on":"{text}"}}"#));
            let document = serde_json::json!({"access_token": "t", "expires_in": text, "not_before": number});
            let _ = parse(&document.to_string());
        }
    }
}
