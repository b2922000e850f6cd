//! What does each SDK send, what does it read in a token, and what does it do when it gets none?
//!
//! Recorded from the versions that docs/reference/sdks.md lists; of .NET and C++ the sources were read.

/// An SDK as a server meets it.
#[derive(Debug)]
pub(super) struct Sdk {
    pub(super) name: &'static str,
    /// The query's parameters in their order; `selector` stands for whatever names the identity.
    pub(super) query: [&'static str; 3],
    pub(super) api_version: &'static str,
    /// The parameter of a resource id, where there is one.
    pub(super) resource_id: Option<&'static str>,
    /// Whether an identity can be named by its object id.
    pub(super) object_id: bool,
    /// The header as it is written.
    pub(super) metadata: &'static str,
    /// The other headers as they are written.
    pub(super) headers: &'static [&'static str],
    pub(super) probe: Option<Probe>,
    /// Fields without which a token is refused.
    pub(super) needs: &'static [&'static str],
    pub(super) end: End,
    /// Seconds before each further try after a 503; where they are random, the shortest.
    pub(super) pauses: &'static [f64],
    /// Whether `Retry-After` of a 503 takes the place of the pause.
    pub(super) obeys: bool,
    /// Whether a 429 is not the end.
    pub(super) after_429: bool,
    /// Seconds after which it hangs up.
    pub(super) hangs_up: Option<u64>,
}

/// The request that finds out whether there is an IMDS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// The token request without `Metadata`.
    Whole,
    /// The path alone without `Metadata`.
    Path,
    /// The path alone with `Metadata`.
    PathWithMetadata,
    /// The path with an api-version, without `Metadata`.
    Version,
}

/// Where the end of a token's life is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// `expires_in`.
    In,
    /// `expires_on`.
    On,
    /// `expires_on`, a text of digits only.
    OnText,
    /// `expires_in` or `expires_on`, whichever stands last.
    Last,
}

const HOST: &str = "Host: 169.254.169.254";
const REQUESTS: &[&str] = &[
    HOST,
    "User-Agent: python-requests/2.34.2",
    "Accept-Encoding: gzip, deflate",
    "Accept: */*",
    "Connection: keep-alive",
];
const MSAL_PYTHON: &[&str] = &[
    HOST,
    "User-Agent: azsdk-python-identity/1.27.0 Python/3.11.7 (Linux)",
    "Accept-Encoding: gzip, deflate",
    "Accept: */*",
    "Connection: keep-alive",
    "x-client-SKU: MSAL.Python",
    "x-client-Ver: 1.39.0",
    "x-ms-client-request-id: 7b3c",
];
const FORM: &str = "Content-Type: application/x-www-form-urlencoded;charset=utf-8";
/// How msrestazure waits when its dice fall worst.
const DICE: &[f64] = &[0.1; 12];

/// Today's Python. The others are told by what is different.
const PYTHON: Sdk = Sdk {
    name: "python",
    query: ["api-version", "resource", "selector"],
    api_version: "2018-02-01",
    resource_id: Some("msi_res_id"),
    object_id: true,
    metadata: "Metadata",
    headers: MSAL_PYTHON,
    probe: Some(Probe::Whole),
    needs: &["access_token", "expires_in"],
    end: End::In,
    pauses: &[0.1, 1.6, 3.2, 6.5, 12.8],
    obeys: true,
    after_429: true,
    hangs_up: None,
};

/// Every SDK.
pub(super) const ALL: &[Sdk] = &[
    PYTHON,
    Sdk {
        name: "python-2020",
        resource_id: None,
        object_id: false,
        headers: REQUESTS,
        probe: Some(Probe::PathWithMetadata),
        end: End::On,
        pauses: &[0.1, 8.0, 16.0, 32.0, 64.0],
        ..PYTHON
    },
    Sdk {
        name: "msrestazure",
        query: ["resource", "api-version", "selector"],
        headers: REQUESTS,
        probe: None,
        needs: &["access_token", "expires_on", "token_type"],
        end: End::On,
        pauses: DICE,
        obeys: false,
        ..PYTHON
    },
    Sdk {
        name: "js",
        headers: &[
            "x-client-SKU: msal.js.node",
            "x-client-VER: 7.2.1",
            "x-ms-client-request-id: 7b3c",
            FORM,
            "Accept-Encoding: gzip,deflate",
            "User-Agent: azsdk-js-identity/4.14.1 core-rest-pipeline/1 Node/20",
            HOST,
            "Connection: keep-alive",
        ],
        probe: Some(Probe::Path),
        needs: &["access_token", "expires_on"],
        end: End::On,
        pauses: &[0.8, 1.9, 2.4],
        after_429: false,
        ..PYTHON
    },
    Sdk {
        name: "js-2020",
        query: ["resource", "api-version", "selector"],
        resource_id: None,
        object_id: false,
        metadata: "metadata",
        headers: &[
            "accept: application/json",
            "accept-language: en-us",
            "x-ms-client-request-id: 7b3c",
            "content-type: application/json; charset=utf-8",
            "user-agent: core-http/1.2.6 Node/v20",
            "cookie: ",
            "Accept-Encoding: gzip,deflate",
            HOST,
            "Connection: keep-alive",
        ],
        needs: &["access_token", "expires_on"],
        end: End::On,
        pauses: &[12.5, 12.5],
        obeys: false,
        after_429: false,
        ..PYTHON
    },
    Sdk {
        name: "nodeauth",
        resource_id: Some("mi_res_id"),
        metadata: "metadata",
        headers: &[
            "content-type: application/json; charset=utf-8",
            "accept-language: en-us",
            "x-ms-client-request-id: 7b3c",
            "Accept: */*",
            "User-Agent: ms-rest-js",
            "Accept-Encoding: gzip,deflate",
            HOST,
            "Connection: keep-alive",
        ],
        probe: None,
        needs: &["access_token", "expires_on", "token_type"],
        end: End::On,
        pauses: &[],
        after_429: false,
        ..PYTHON
    },
    Sdk {
        name: "go",
        headers: &[
            HOST,
            "User-Agent: azsdk-go-azidentity/v1.15.0 (go1.26.8; linux)",
            "X-Client-Sku: MSAL.Go",
            "X-Client-Ver: 1.10.1",
            "X-Ms-Client-Request-Id: 7b3c",
            "Accept-Encoding: gzip",
        ],
        probe: Some(Probe::Path),
        needs: &["access_token", "expires_on", "expires_in"],
        end: End::On,
        pauses: &[2.4, 6.0, 11.9, 25.0, 25.0, 25.0],
        hangs_up: Some(60),
        ..PYTHON
    },
    Sdk {
        name: "go-adal",
        resource_id: Some("mi_res_id"),
        object_id: false,
        headers: &[
            HOST,
            "User-Agent: Go/go1.26.8 (amd64-linux) go-autorest/adal/v1.0.0",
            "Accept-Encoding: gzip",
        ],
        probe: None,
        needs: &["access_token", "expires_on", "expires_in"],
        end: End::On,
        pauses: &[2.0, 6.0, 14.0, 30.0],
        obeys: false,
        ..PYTHON
    },
    Sdk {
        name: "java",
        query: ["selector", "api-version", "resource"],
        resource_id: Some("mi_res_id"),
        headers: &[
            "host: 169.254.169.254",
            "accept: */*",
            "x-client-VER: 1.26.0",
            "x-client-SKU: MSAL.Java",
            "x-ms-client-request-id: 7b3c",
            "User-Agent: azsdk-java-azure-identity/1.19.0",
        ],
        probe: Some(Probe::Version),
        needs: &["access_token", "expires_on"],
        end: End::On,
        pauses: &[0.9, 1.6, 3.2, 6.4, 12.8],
        hangs_up: Some(60),
        ..PYTHON
    },
    Sdk {
        name: "rust",
        api_version: "2019-08-01",
        metadata: "metadata",
        headers: &[
            "user-agent: azsdk-rust-identity/1.0.0",
            "x-ms-client-request-id: 7b3c",
            "accept: application/json",
            "accept-encoding: gzip, deflate",
            "host: 169.254.169.254",
        ],
        probe: None,
        needs: &["access_token", "expires_on", "token_type", "resource"],
        end: End::OnText,
        pauses: &[3.0, 5.6, 11.0, 21.4, 30.0, 30.0],
        hangs_up: Some(60),
        ..PYTHON
    },
    Sdk { name: "az", probe: None, pauses: &[], after_429: false, ..PYTHON },
    Sdk {
        name: "az-2024",
        query: ["resource", "api-version", "selector"],
        headers: REQUESTS,
        probe: None,
        needs: &["access_token", "expires_on", "token_type"],
        end: End::On,
        pauses: DICE,
        obeys: false,
        ..PYTHON
    },
    Sdk {
        name: ".NET",
        headers: &[
            HOST,
            "x-client-SKU: MSAL.NetCore",
            "x-client-Ver: 4.80.0.0",
            "x-ms-client-request-id: 7b3c",
            "User-Agent: azsdk-net-Identity/1.17.0 (.NET 9.0; Linux)",
        ],
        needs: &["access_token", "expires_in", "expires_on"],
        end: End::Last,
        pauses: &[1.0, 2.0, 4.0],
        obeys: false,
        ..PYTHON
    },
    Sdk {
        name: "C++",
        // It keeps parameters and headers sorted.
        query: ["api-version", "selector", "resource"],
        headers: &[HOST, "User-Agent: azsdk-cpp-identity/1.13.0 (Linux)", "x-ms-client-request-id: 7b3c"],
        // In a default credential the token request itself is the probe; it has a second to connect.
        probe: None,
        pauses: &[0.8, 1.6, 3.2],
        after_429: false,
        ..PYTHON
    },
];
