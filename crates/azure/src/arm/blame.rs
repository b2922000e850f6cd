//! Which identities of a request does an error text blame?
//!
//! ARM names them in prose: quoted, in comma lists, nested in an inner answer, with names that may
//! hold dots and parentheses. The original read the first quoted list only (W-35). Here the text is
//! searched for the ids that were sent, so neither quoting nor punctuation matters.

use podid_core::ids::IdentityResourceId;

/// Those of `sent` that `text` names, in the order of `sent`.
pub(super) fn blamed(text: &str, sent: &[IdentityResourceId]) -> Vec<IdentityResourceId> {
    let text = text.to_ascii_lowercase().replace("\\/", "/");
    let starts: Vec<usize> = text.match_indices("/subscriptions/").map(|(start, _)| start).collect();
    let named: Vec<&IdentityResourceId> =
        starts.iter().filter_map(|start| longest(&text[*start..], sent)).collect();
    sent.iter().filter(|id| named.contains(id)).cloned().collect()
}

/// The longest of `sent` with which `text` begins and which ends there as a word: `a.b` is not `a`, but
/// the full stop after `a` at the end of a sentence does not belong to the name.
fn longest<'a>(text: &str, sent: &'a [IdentityResourceId]) -> Option<&'a IdentityResourceId> {
    let ends = |rest: &str| {
        let after = rest.trim_start_matches(['.', ')']);
        !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '(' | '/'))
    };
    sent.iter()
        .filter(|id| text.strip_prefix(id.folded()).is_some_and(ends))
        .max_by_key(|id| id.folded().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str =
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/";

    fn ids(names: &[&str]) -> Vec<IdentityResourceId> {
        names.iter().map(|name| IdentityResourceId::parse(&format!("{BASE}{name}")).unwrap()).collect()
    }

    fn names(text: &str, sent: &[&str]) -> Vec<String> {
        blamed(&text.replace('@', BASE), &ids(sent)).iter().map(|id| id.name().to_owned()).collect()
    }

    /// W-35.
    #[test]
    fn finds_the_ids_in_all_shapes_of_text() {
        let sent = ["a", "b", "a.b", "x(1)", "end."];
        let cases: [(&str, &[&str]); 12] = [
            (
                "The client 'c' has permission on scope '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute\
                 /virtualMachines/vm'; however, it does not have permission to perform action 'assign/action' on the \
                 linked scope(s) '@a,@x(1)' or the linked scope(s) are invalid.",
                &["a", "x(1)"],
            ),
            (
                r#"Failed to perform resource identity operation. Status: 'BadRequest'. Response: '{"error":{"code":
                 "BadRequest","message":"Resource '@b' was not found."}}'."#,
                &["b"],
            ),
            ("first '@a', then '@b'", &["a", "b"]),
            ("@a, @b", &["a", "b"]),
            ("'@a.b'", &["a.b"]),
            ("the identity @a.", &["a"]),
            ("the identity (@b).", &["b"]),
            ("the identity @end.", &["end."]),
            ("the identity @x(1).", &["x(1)"]),
            ("'@A'", &["a"]),
            ("'@ab' '@a/federatedIdentityCredentials/f' '@a-b'", &[]),
            ("nobody", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text, &sent), expected, "{text}");
        }
    }

    #[test]
    fn escaped_slashes_do_not_hide_an_id() {
        let text = format!("'{BASE}a'").replace('/', "\\/");
        assert_eq!(blamed(&text, &ids(&["a"])), ids(&["a"]));
    }
}
