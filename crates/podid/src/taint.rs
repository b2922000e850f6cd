//! Is this the key of a taint?

/// The longest part of a key after its prefix, and the longest prefix, in characters.
const LONGEST: (usize, usize) = (63, 253);

/// Reads a key, which is empty or a qualified name such as `podid.dev/starting`. With a value or an effect it
/// would never be found on a node.
pub fn key(text: &str) -> Result<String, String> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let fits = |part: &str, longest: usize| {
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let outer = |c: char| c.is_ascii_alphanumeric();
        part.len() <= longest && part.chars().all(inner) && part.starts_with(outer) && part.ends_with(outer)
    };
    if text.is_empty() || fits(name, LONGEST.0) && prefix.is_none_or(|prefix| fits(prefix, LONGEST.1)) {
        return Ok(text.to_owned());
    }
    Err("give the key only, such as podid.dev/starting, without =value and :effect".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_qualified_name_without_value_and_effect() {
        for good in ["", "starting", "podid.dev/starting", "a/b_c.d-e"] {
            assert_eq!(key(good).as_deref(), Ok(good));
        }
        for bad in
            ["podid.dev/starting:NoSchedule", "podid.dev/starting=x", "a b!", "a/", "/b", "a/b/c", "-a"]
        {
            assert!(key(bad).unwrap_err().contains("the key only"), "{bad}");
        }
    }
}
