//! What is asked for, by the bytes of the request alone?

mod properties;

use super::*;

const RULES: Rules = Rules {
    metadata_header_required: true,
    block_instance_metadata: false,
    host_token_route: false,
    pass_through: PassThrough::Instance,
};
const TOKEN: &str = "/metadata/identity/oauth2/token";
const ARM_ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";

fn ask_with(target: &str, headers: &[(&'static str, &'static str)], rules: Rules) -> Request {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    parse(Raw { method: "GET", target, headers }, rules)
}

fn ask(target: &str) -> Request {
    ask_with(target, &[("Metadata", "true")], RULES)
}

fn refusal(request: Request) -> Refusal {
    match request {
        Request::Refuse(refusal) | Request::Probe(refusal) => refusal,
        other => panic!("answered: {other:?}"),
    }
}

fn selector(query: &str) -> Selector {
    match ask(&format!("{TOKEN}?resource=r&{query}")) {
        Request::Token(token) => token.selector,
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn the_token_route_is_metadata_in_any_case_and_the_rest_as_written() {
    for path in [TOKEN, "/metadata/identity/oauth2/token/", "/METADATA/identity/oauth2/token"] {
        let wanted = TokenRequest {
            resource: "https://vault.azure.net".into(),
            selector: Selector::Any,
            fresh: false,
        };
        let target = format!("{path}?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net");
        assert_eq!(ask(&target), Request::Token(wanted), "{path}");
    }
}

#[test]
fn look_alikes_of_the_token_path_are_refused_at_once() {
    let paths = [
        "/metadata/Identity/oauth2/token",
        "/metadata/identity/OAuth2/token",
        "/metadata/identity/oauth2/Token",
        "//metadata/identity/oauth2/token",
        "/metadata//identity/oauth2/token",
        "/metadata/identity/oauth2//token",
        "/metadata/./identity/oauth2/token",
        "/metadata/instance/../identity/oauth2/token",
        "/x/../metadata/identity/oauth2/token",
        "/metadata/%69dentity/oauth2/token",
        "/metadata%2Fidentity/oauth2/token",
        "/metadata/identity%2foauth2/token",
        "/%6detadata/identity/oauth2/token",
        "/metadata/%2569dentity/oauth2/token",
        "/metadata\\identity\\oauth2\\token",
        "/metadata/identity\\oauth2\\token/",
        "/metadata/identity%5Coauth2/token",
        "/metadata/identity/oauth2/token%00",
        "/metadata/identity/oauth2/token//",
        "/metadata/identity/oauth2/tokenANYTHING",
        "/metadata/identity/oauth2/token/more",
        "/metadata/identity;a=b/oauth2/token",
        "/metadata/instance/..;/identity/oauth2/token",
        "/metadata/instance;x/compute",
        "/metadata;/identity/oauth2/token",
        "/;/metadata/instance",
        "/metadata/identity",
        "/metadata/identity/info",
        "/metadata/identity/oauth2/authorize",
        "/metadata/identity/credential",
        "metadata/identity/oauth2/token",
        "http://169.254.169.254/metadata/identity/oauth2/token",
        "*",
        "",
    ];
    for path in paths {
        for headers in [&[("Metadata", "true")] as &[_], &[]] {
            let refusal = refusal(ask_with(&format!("{path}?resource=r"), headers, RULES));
            assert_eq!((refusal.status, refusal.code), (400, "invalid_request"), "{path}");
        }
    }
}

#[test]
fn second_generation_identity_paths_do_not_exist_with_or_without_the_header() {
    let paths = [
        "/metadata/identity/getplatformmetadata",
        "/Metadata/Identity/issueCredential/",
        "/metadata/v2/identity/getplatformmetadata",
        "/metadata/V2/Identity/oauth2/token",
        "/metadata/v2/identity",
    ];
    for path in paths {
        assert_eq!(refusal(ask_with(path, &[], RULES)).status, 404, "{path}");
        assert_eq!(refusal(ask(&format!("{path}?cred-api-version=2.0"))).status, 404, "{path}");
    }
}

#[test]
fn a_request_without_the_metadata_header_is_a_probe_whatever_it_asks() {
    let targets = [
        TOKEN,
        "/metadata/identity/oauth2/token?resource=r&client_id=c",
        "/metadata/instance",
        "/metadata/versions",
        "/anything",
    ];
    for target in targets {
        for headers in [&[] as &[_], &[("Metadata", "True")], &[("Metadata", "")]] {
            let probe = Request::Probe(Refusal::invalid(
                Cause::NoMetadataHeader,
                "Required metadata header not specified",
            ));
            assert_eq!(ask_with(target, headers, RULES), probe, "{target}");
        }
    }
}

#[test]
fn the_metadata_header_may_be_switched_off_and_its_name_has_any_case() {
    let lax = Rules { metadata_header_required: false, ..RULES };
    let target = format!("{TOKEN}?resource=r");
    assert!(matches!(ask_with(&target, &[], lax), Request::Token(_)));
    assert!(matches!(ask_with(&target, &[("metadata", "true")], RULES), Request::Token(_)));
}

#[test]
fn w42_a_forwarded_request_is_refused() {
    for target in ["/metadata/identity/oauth2/token?resource=r", "/metadata/instance", "/other"] {
        let headers = [("Metadata", "true"), ("x-forwarded-for", "")];
        assert_eq!(refusal(ask_with(target, &headers, RULES)).status, 400, "{target}");
    }
}

#[test]
fn a_token_request_without_resource_is_a_probe() {
    for query in ["", "?", "?api-version=2018-02-01", "?resource=", "?resource=%20", "?client_id=c"] {
        let request = ask(&format!("{TOKEN}{query}"));
        assert!(matches!(&request, Request::Probe(refusal) if refusal.status == 400), "{query}: {request:?}");
    }
}

#[test]
fn every_spelling_of_a_selector_is_understood() {
    let arm = Selector::Resource(IdentityResourceId::parse(ARM_ID).unwrap());
    let encoded = ARM_ID.replace('/', "%2F");
    let cases = [
        ("api-version=2019-08-01", Selector::Any),
        ("client_id=", Selector::Any),
        ("client_id=AB-1", Selector::Client(ClientId::parse("ab-1").unwrap())),
        ("object_id=O", Selector::Principal(PrincipalId::parse("o").unwrap())),
        (&format!("msi_res_id={encoded}"), arm.clone()),
        (&format!("mi_res_id={ARM_ID}"), arm),
    ];
    for (query, wanted) in cases {
        assert_eq!(selector(query), wanted, "{query}");
    }
}

#[test]
fn contradictory_selectors_are_refused() {
    let queries = [
        "resource=r&resource=r".to_owned(),
        "resource=r&Resource=s".to_owned(),
        "resource=r&client_id=a&client_id=b".to_owned(),
        "resource=r&client_id=&client_id=b".to_owned(),
        "resource=r&client_id=a&object_id=b".to_owned(),
        format!("resource=r&msi_res_id={ARM_ID}&mi_res_id={ARM_ID}"),
        format!("resource=r&client_id=a&msi_res_id={ARM_ID}"),
        "resource=r&msi_res_id=/subscriptions/s".to_owned(),
        format!("resource={}", "r".repeat(2000)),
    ];
    for query in queries {
        let request = ask(&format!("{TOKEN}?{query}"));
        assert!(
            matches!(&request, Request::Refuse(refusal) if refusal.status == 400),
            "{query}: {request:?}"
        );
    }
}

#[test]
fn only_reading_instance_metadata_and_versions_is_for_everyone() {
    let cases = [
        ("GET", "/metadata/instance?api-version=2017-08-01", Request::Instance),
        ("GET", "/metadata/instance/compute/name?format=text", Request::Instance),
        ("GET", "/Metadata/versions", Request::Versions),
        ("POST", "/metadata/instance", Request::Other),
        ("GET", "/metadata/instances", Request::Other),
        ("GET", "/metadata/attested/document", Request::Other),
        ("POST", "/metadata/scheduledevents", Request::Other),
        ("GET", "/", Request::Other),
    ];
    for (method, target, wanted) in cases {
        let headers = [("Metadata", b"true" as &[u8])].into_iter();
        assert_eq!(parse(Raw { method, target, headers }, RULES), wanted, "{method} {target}");
    }
}

#[test]
fn everything_but_identity_paths_is_open_where_the_original_s_pass_through_is_restored() {
    let open = Rules { pass_through: PassThrough::All, ..RULES };
    let cases = [
        ("POST", "/metadata/instance", Request::Open),
        ("GET", "/metadata/attested/document", Request::Open),
        ("POST", "/Metadata/scheduledevents", Request::Open),
        ("GET", "/metadata", Request::Open),
        ("GET", "/metadata/instance", Request::Instance),
        ("GET", "/metadatax/attested", Request::Other),
        ("GET", "/", Request::Other),
    ];
    for (method, target, wanted) in cases {
        let headers = [("Metadata", b"true" as &[u8])].into_iter();
        assert_eq!(parse(Raw { method, target, headers }, open), wanted, "{method} {target}");
    }
    for target in ["/metadata/identity/info", "/metadata/IDENTITY/oauth2/token", "/metadata/v2/identity/x"] {
        let asked = ask_with(target, &[("Metadata", "true")], open);
        assert!(matches!(asked, Request::Refuse(_)), "{target}: {asked:?}");
    }
    let blocked = Rules { block_instance_metadata: true, ..open };
    let post =
        Raw { method: "POST", target: "/metadata/instance", headers: [("Metadata", b"true" as &[u8])] };
    assert!(matches!(parse(post, blocked), Request::Refuse(_)), "blocked is blocked");
    assert!(matches!(ask_with("/metadata/attested", &[], open), Request::Probe(_)));
}

#[test]
fn blocked_instance_metadata_is_refused_in_the_original_words() {
    let rules = Rules { block_instance_metadata: true, ..RULES };
    let blocked = Refusal::forbidden(Cause::InstanceBlocked, "Request blocked by AAD Pod Identity NMI");
    assert_eq!(ask_with("/metadata/instance/compute", &[], rules), Request::Refuse(blocked));
    assert_eq!(ask_with("/metadata/versions", &[("Metadata", "true")], rules), Request::Versions);
}

/// W-52.
#[test]
fn the_host_token_route_is_off_unless_switched_on() {
    let headers = [("podns", "default"), ("podname", "demo")];
    assert_eq!(refusal(ask_with("/host/token/?resource=r", &headers, RULES)).status, 403);
    let on = Rules { host_token_route: true, ..RULES };
    let token = TokenRequest { resource: "r".into(), selector: Selector::Any, fresh: false };
    let wanted = Request::HostToken { pod: ObjectRef::new("default", "demo"), token };
    assert_eq!(ask_with("/host/token/?resource=r", &headers, on), wanted);
    assert_eq!(refusal(ask_with("/host/token/?resource=r", &headers[..1], on)).status, 400);
    assert_eq!(refusal(ask_with("/host/token/", &headers, on)).status, 400);
}

#[test]
fn tokens_are_asked_for_by_get_only_and_probes_are_answered_first() {
    let on = Rules { host_token_route: true, ..RULES };
    let by = |method, target, headers: &[(&'static str, &'static str)]| {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        refusal(parse(Raw { method, target, headers }, on)).status
    };
    let target = format!("{TOKEN}?resource=r");
    for method in ["POST", "HEAD", "OPTIONS", "PUT", "DELETE", "get", ""] {
        assert_eq!(by(method, &target, &[("Metadata", "true")]), 405, "{method}");
        assert_eq!(by(method, &target, &[]), 400, "{method}: no header, as for any probe");
        assert_eq!(
            by(method, "/host/token/?resource=r", &[("podns", "n"), ("podname", "p")]),
            405,
            "{method}"
        );
    }
}

#[test]
fn bypass_cache_asks_for_a_fresh_token_with_the_value_true_only() {
    let fresh = |query: &str| query::token(&format!("resource=r{query}")).is_ok_and(|token| token.fresh);
    let cases = [
        ("", false),
        ("&bypass_cache=true", true),
        ("&BYPASS_CACHE=True", true),
        ("&bypass_cache=false", false),
        ("&bypass_cache=", false),
        ("&bypass_cache", false),
    ];
    for (query, expected) in cases {
        assert_eq!(fresh(query), expected, "{query}");
    }
}
