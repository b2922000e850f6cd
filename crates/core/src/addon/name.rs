//! Can something be called so?
//!
//! The add-on's client did not ask; its service refused some of it, and the API server the rest, after
//! half was written. Here it is asked first.

use crate::ids::IdentityResourceId;

/// Longest name of an object.
const LONGEST_NAME: usize = 253;
/// Longest name of a namespace, and longest value of a label.
const LONGEST_LABEL: usize = 63;

/// Why a text cannot be what it is meant to be; names it, the rule, and an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// No DNS subdomain name.
    #[error(
        "{argument} {text:?} is not a name: use lower-case letters, digits, - and ., begin and end with a \
         letter or digit, at most {LONGEST_NAME} characters (RFC 1123), such as my-pod-identity"
    )]
    Subdomain {
        /// The argument.
        argument: &'static str,
        /// What was given.
        text: String,
    },
    /// No DNS label.
    #[error(
        "{argument} {text:?} is not the name of a namespace: use lower-case letters, digits and -, begin and \
         end with a letter or digit, at most {LONGEST_LABEL} characters (RFC 1123), such as my-app"
    )]
    Label {
        /// The argument.
        argument: &'static str,
        /// What was given.
        text: String,
    },
    /// No value of a label.
    #[error(
        "{argument} {text:?} cannot be the value of a pod's label: use letters, digits, -, _ and ., begin and \
         end with a letter or digit, at most {LONGEST_LABEL} characters"
    )]
    Value {
        /// The argument.
        argument: &'static str,
        /// What was given.
        text: String,
    },
    /// The name is a good one, but pods could not carry it.
    #[error(
        "--name {0:?} is longer than the {LONGEST_LABEL} characters that a pod's label aadpodidbinding may \
         have, and it is the selector where none is given; give a shorter one with --binding-selector"
    )]
    TooLongForSelector(String),
}

/// The name of an object, given as `argument`.
pub fn object(argument: &'static str, text: &str) -> Result<(), InvalidName> {
    let good = text.len() <= LONGEST_NAME && text.split('.').all(is_dns_part);
    if good { Ok(()) } else { Err(InvalidName::Subdomain { argument, text: text.to_owned() }) }
}

/// The name of a namespace.
pub fn namespace(argument: &'static str, text: &str) -> Result<(), InvalidName> {
    let good = text.len() <= LONGEST_LABEL && is_dns_part(text);
    if good { Ok(()) } else { Err(InvalidName::Label { argument, text: text.to_owned() }) }
}

/// The selector of a binding, which pods have as the value of a label; the name where none is given.
pub fn selector<'a>(name: &'a str, given: Option<&'a str>) -> Result<&'a str, InvalidName> {
    match given {
        Some(text) if !text.is_empty() && is_label_value(text) => Ok(text),
        Some(text) => Err(InvalidName::Value { argument: "--binding-selector", text: text.to_owned() }),
        None if name.len() > LONGEST_LABEL => Err(InvalidName::TooLongForSelector(name.to_owned())),
        None => Ok(name),
    }
}

/// The name of a pod identity that was given none: that of the identity in Azure, as far as it can be
/// one. The same identity gets the same name each time, so that the command can be run again.
pub fn for_identity(resource: &IdentityResourceId) -> String {
    let written = resource.name();
    let mut name: String = written
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(50)
        .collect();
    name = name.trim_matches('-').to_owned();
    if name.is_empty() {
        "pod-identity".clone_into(&mut name);
    }
    // Names that only differ in what was replaced must not meet; ARM compares without case.
    if name != written.to_ascii_lowercase() {
        name = format!("{name}-{:08x}", fnv(resource.folded()) & 0xffff_ffff);
    }
    name
}

/// FNV-1a over 128 bits: the same in every process and version.
pub(super) fn fnv(text: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

fn is_dns_part(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_framed(text, fits) && text.bytes().all(|byte| fits(byte) || byte == b'-')
}

/// Whether `text` can be a label's value; an empty one can.
pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || text.len() <= LONGEST_LABEL && is_label_text(text)
}

/// Whether `text` can be a label's key, such as `app` or `example.com/tier`.
pub(super) fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    name.len() <= LONGEST_LABEL
        && is_label_text(name)
        && prefix.is_none_or(|prefix| prefix.len() <= LONGEST_NAME && prefix.split('.').all(is_dns_part))
}

fn is_label_text(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric();
    is_framed(text, fits) && text.bytes().all(|byte| fits(byte) || b"-_.".contains(&byte))
}

/// Whether the first and the last byte are `fit`.
fn is_framed(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    text.bytes().next().is_some_and(&fits) && text.bytes().next_back().is_some_and(&fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resource(name: &str) -> IdentityResourceId {
        IdentityResourceId::parse(&format!(
            "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        ))
        .unwrap()
    }

    #[test]
    fn names_are_those_of_rfc_1123() {
        for good in ["a", "my-pod-identity", "a.b-c.9", &"x".repeat(253)] {
            assert_eq!(object("--name", good), Ok(()), "{good}");
        }
        for bad in ["", "My", "a_b", "-a", "a-", "a..b", ".a", "a.", "ä", "a b", "a/b", &"x".repeat(254)] {
            assert!(object("--name", bad).is_err(), "{bad}");
        }
        assert_eq!(namespace("--namespace", &"x".repeat(63)), Ok(()));
        for bad in ["", "a.b", "A", &"x".repeat(64)] {
            assert!(namespace("--namespace", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_selector_is_what_a_pod_can_carry() {
        assert_eq!(selector("my-app", None), Ok("my-app"));
        assert_eq!(selector("my-app", Some("myMultiIdentitySelector")), Ok("myMultiIdentitySelector"));
        assert_eq!(selector(&"x".repeat(64), Some("short")), Ok("short"));
        for (name, given) in [("a", Some("")), ("a", Some("a b")), ("a", Some("-a")), (&"x".repeat(64), None)]
        {
            assert!(selector(name, given).is_err(), "{name} {given:?}");
        }
    }

    #[test]
    fn a_name_that_was_not_given_is_the_identity_s_own() {
        assert_eq!(for_identity(&resource("application-identity")), "application-identity");
        assert_eq!(for_identity(&resource("App")), "app");
        let made = for_identity(&resource("my_App(1)"));
        assert!(made.starts_with("my-app-1-"), "{made}");
        assert_ne!(for_identity(&resource("a_b")), for_identity(&resource("a.b")));
        assert_eq!(for_identity(&resource("A_B")), for_identity(&resource("a_b")));
    }

    #[test]
    fn keys_of_labels_may_have_a_domain() {
        for good in ["app", "kubernetes.azure.com/managedby", "A_b.c"] {
            assert!(is_label_key(good), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "A.com/x", "-a", "a b", &"x".repeat(64)] {
            assert!(!is_label_key(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_made_name_is_always_a_good_one_and_a_good_selector(name in "[a-zA-Z0-9_.()-]{1,128}") {
            let Ok(id) = IdentityResourceId::parse(&format!(
                "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
            )) else { return Ok(()) };
            let made = for_identity(&id);
            prop_assert_eq!(object("--name", &made), Ok(()));
            prop_assert!(selector(&made, None).is_ok());
        }
    }
}
