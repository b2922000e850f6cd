//! Does what holds of all requests hold of those that nobody thought of?

use proptest::prelude::*;

use super::*;

/// The path as the most generous server would read it.
fn most_generous_reading(path: &str) -> Vec<String> {
    let mut text = path.to_owned();
    for _ in 0..4 {
        text = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
    }
    let mut segments = Vec::new();
    for segment in text.to_lowercase().split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name.to_owned()),
        }
    }
    segments
}

fn odd_path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "/",
        "//",
        "\\",
        "%2F",
        "%5c",
        "%252f",
        "/./",
        "/../",
        "%2e%2e",
        "metadata",
        "METADATA",
        "identity",
        "Identity",
        "%69dentity",
        "oauth2",
        "token",
        "instance",
        "versions",
        "host",
        ";",
        "?",
        "#",
        "%",
        "%0",
        "é",
        "\0",
        "info",
        "getplatformmetadata",
        "X",
    ]);
    prop_oneof![
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat()),
        any::<String>(),
        r"/(metadata|host)/(identity|instance|token)[/a-z%.\\]{0,12}",
    ]
}

/// One change that makes a path another spelling of itself.
fn disguise(path: &str, at: usize, how: usize) -> String {
    let slashes: Vec<usize> = path.match_indices('/').map(|(index, _)| index).collect();
    let slash = slashes[at % slashes.len()];
    let (before, after) = (&path[..slash], &path[slash + 1..]);
    match how % 6 {
        0 => format!("{before}//{after}"),
        1 => format!("{before}/./{after}"),
        2 => format!("{before}/x/../{after}"),
        3 => format!("{before}\\{after}"),
        4 => format!("{before}%2F{after}"),
        _ => {
            let letter = at % path.len();
            format!("{}%{:02x}{}", &path[..letter], path.as_bytes()[letter], &path[letter + 1..])
        }
    }
}

proptest! {
    #[test]
    fn no_input_panics(method in any::<String>(), target in odd_path(), names in any::<String>(), value in any::<Vec<u8>>()) {
        for name in [names.as_str(), "metadata", "podns"] {
            let headers = [(name, value.as_slice()), ("podname", value.as_slice())].into_iter();
            for host_token_route in [true, false] {
                let raw = Raw { method: &method, target: &target, headers: headers.clone() };
                let _ = parse(raw, Rules { host_token_route, metadata_header_required: false, ..RULES });
            }
        }
    }

    #[test]
    fn nothing_but_the_token_path_is_a_token_path(path in odd_path()) {
        let target = format!("{path}?resource=r");
        if let Request::Token(_) = ask(&target) {
            let written = target.split('?').next().unwrap();
            let plain = written.strip_suffix('/').unwrap_or(written);
            prop_assert!(plain["/metadata".len()..] == TOKEN["/metadata".len()..]);
            prop_assert!(plain.eq_ignore_ascii_case(TOKEN));
        }
    }

    #[test]
    fn nothing_that_anyone_could_read_as_an_identity_path_is_passed_on(path in odd_path()) {
        let written = path.split('?').next().unwrap();
        let read = most_generous_reading(written);
        if read.first().is_some_and(|first| first == "metadata") && read.get(1).is_some_and(|second| second.starts_with("identity")) {
            for pass_through in [PassThrough::Instance, PassThrough::All] {
                let request = ask_with(&path, &[("Metadata", "true")], Rules { pass_through, ..RULES });
                prop_assert!(!matches!(request, Request::Instance | Request::Versions | Request::Open | Request::Other), "{:?}", request);
            }
        }
    }

    #[test]
    fn no_disguise_turns_a_refused_path_into_a_token_path(
        path in prop::sample::select(vec![TOKEN, "/metadata/identity/info", "/metadata/identity/oauth2/tokenX"]),
        at in 0usize..64,
        how in 0usize..6,
    ) {
        let target = format!("{}?resource=r", disguise(path, at, how));
        prop_assert!(matches!(ask(&target), Request::Refuse(_)), "{}", target);
    }
}
