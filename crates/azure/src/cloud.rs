//! Which Azure is this: where are its ARM and its Entra, and which authorities may be asked?

pub mod authority;

use std::path::Path;
use std::{fmt, io};

use http::Uri;
use serde::Deserialize;

pub use self::authority::{AllowedAuthorities, Authority, InvalidAuthority};

/// The environment variable that names the endpoints file of a custom cloud.
pub const CUSTOM_FILE_VARIABLE: &str = "AZURE_ENVIRONMENT_FILEPATH";

/// An Azure cloud and its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Its canonical name, such as `AzurePublicCloud`.
    pub name: String,
    /// Where its services are.
    pub endpoints: Endpoints,
}

/// Base addresses of a cloud's services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// ARM, with the slash at its end; it is also the audience of ARM tokens.
    pub resource_manager: String,
    /// Entra, the authority that gives tokens.
    pub authority: Authority,
}

/// Why no cloud can be made of a name or file; the configuration has to change.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCloud {
    /// The name is none that we know.
    #[error(
        "cloud {0:?} is unknown; use AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, AzureGermanCloud or AzureStackCloud"
    )]
    Name(String),
    /// The name stands for a custom cloud and no file describes it.
    #[error(
        "cloud AzureStackCloud needs the environment variable {CUSTOM_FILE_VARIABLE} to name its endpoints file"
    )]
    NoFile,
    /// The endpoints file cannot be read.
    #[error("cannot read the endpoints file {path} ({CUSTOM_FILE_VARIABLE}): {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The endpoints file is not what it should be.
    #[error("{path}: {problem}; expected JSON with resourceManagerEndpoint and activeDirectoryEndpoint")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointsFile {
    name: Option<String>,
    resource_manager_endpoint: String,
    active_directory_endpoint: String,
}

/// Canonical name, other names, ARM, Entra's host (peer contract §2.2).
type Known = (&'static str, &'static [&'static str], &'static str, &'static str);

const KNOWN: [Known; 4] = [
    ("AzurePublicCloud", &["AzureCloud"], "https://management.azure.com/", "login.microsoftonline.com"),
    (
        "AzureUSGovernmentCloud",
        &["AzureUSGovernment"],
        "https://management.usgovcloudapi.net/",
        "login.microsoftonline.us",
    ),
    ("AzureChinaCloud", &[], "https://management.chinacloudapi.cn/", "login.chinacloudapi.cn"),
    ("AzureGermanCloud", &[], "https://management.microsoftazure.de/", "login.microsoftonline.de"),
];

// === impl Cloud ===

impl Cloud {
    /// The public cloud.
    pub fn public() -> Self {
        Self::of(&KNOWN[0])
    }

    /// The cloud called `name`, in any letter case. `AzureStackCloud` is described by `custom_file`.
    pub fn parse(name: &str, custom_file: Option<&Path>) -> Result<Self, InvalidCloud> {
        if name.eq_ignore_ascii_case("AzureStackCloud") {
            return Self::custom(custom_file.ok_or(InvalidCloud::NoFile)?);
        }
        Self::known(name).ok_or_else(|| InvalidCloud::Name(name.to_owned()))
    }

    fn known(name: &str) -> Option<Self> {
        let is_it = |other: &str| other.eq_ignore_ascii_case(name);
        KNOWN.iter().find(|row| is_it(row.0) || row.1.iter().any(|other| is_it(other))).map(Self::of)
    }

    fn of((name, _, resource_manager, entra): &Known) -> Self {
        let resource_manager = (*resource_manager).to_owned();
        Self {
            name: (*name).to_owned(),
            endpoints: Endpoints { resource_manager, authority: Authority::of_host(entra) },
        }
    }

    fn custom(path: &Path) -> Result<Self, InvalidCloud> {
        let shown = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|source| InvalidCloud::Unreadable { path: shown.clone(), source })?;
        let malformed = |problem: String| InvalidCloud::Malformed { path: shown.clone(), problem };
        let file: EndpointsFile =
            serde_json::from_slice(strip_bom(&bytes)).map_err(|error| malformed(error.to_string()))?;
        let resource_manager = base_address(&file.resource_manager_endpoint)
            .ok_or_else(|| malformed("resourceManagerEndpoint is not an https address".to_owned()))?;
        // Whoever writes this file already decides where the node's credential goes, so any host is allowed.
        let authority = Authority::of_operator(&file.active_directory_endpoint)
            .map_err(|error| malformed(format!("activeDirectoryEndpoint: {error}")))?;
        let name = file.name.unwrap_or_else(|| "AzureStackCloud".to_owned());
        Ok(Self { name, endpoints: Endpoints { resource_manager, authority } })
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An https address with a slash at its end.
fn base_address(text: &str) -> Option<String> {
    let uri: Uri = text.trim().parse().ok()?;
    let good = uri.scheme_str() == Some("https") && uri.host().is_some() && uri.query().is_none();
    good.then(|| format!("{}/", text.trim().trim_end_matches('/')))
}

fn strip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints_file(content: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("endpoints.json");
        std::fs::write(&path, content).unwrap();
        (directory, path)
    }

    fn custom(content: &str) -> Result<Cloud, InvalidCloud> {
        let (_directory, path) = endpoints_file(content);
        Cloud::parse("azurestackcloud", Some(&path))
    }

    #[test]
    fn names_are_known_in_any_letter_case() {
        let cases = [
            ("azurecloud", "https://management.azure.com/", "https://login.microsoftonline.com/"),
            ("AzurePublicCloud", "https://management.azure.com/", "https://login.microsoftonline.com/"),
            (
                "AZUREUSGOVERNMENT",
                "https://management.usgovcloudapi.net/",
                "https://login.microsoftonline.us/",
            ),
            (
                "AzureUSGovernmentCloud",
                "https://management.usgovcloudapi.net/",
                "https://login.microsoftonline.us/",
            ),
            ("AzureChinaCloud", "https://management.chinacloudapi.cn/", "https://login.chinacloudapi.cn/"),
            (
                "AzureGermanCloud",
                "https://management.microsoftazure.de/",
                "https://login.microsoftonline.de/",
            ),
        ];
        for (name, arm, entra) in cases {
            let endpoints = Cloud::parse(name, None).unwrap().endpoints;
            assert_eq!(
                (endpoints.resource_manager.as_str(), endpoints.authority.as_str()),
                (arm, entra),
                "{name}"
            );
        }
    }

    #[test]
    fn an_unknown_or_empty_name_is_refused() {
        for name in ["", "Azure", "aws"] {
            assert!(matches!(Cloud::parse(name, None), Err(InvalidCloud::Name(_))), "{name}");
        }
        assert!(matches!(Cloud::parse("AzureStackCloud", None), Err(InvalidCloud::NoFile)));
    }

    #[test]
    fn a_custom_cloud_is_read_from_its_file() {
        let cloud = custom(
            "\u{feff}{\"name\":\"Contoso\",\"resourceManagerEndpoint\":\"https://management.local.example\",
              \"activeDirectoryEndpoint\":\"https://adfs.local.example/adfs\",\"tokenAudience\":\"x\"}",
        )
        .unwrap();
        assert_eq!(cloud.name, "Contoso");
        assert_eq!(cloud.endpoints.resource_manager, "https://management.local.example/");
        assert_eq!(cloud.endpoints.authority.as_str(), "https://adfs.local.example/adfs/");
    }

    #[test]
    fn a_bad_endpoints_file_is_named_with_its_problem() {
        let cases = [
            ("{", "EOF"),
            ("{}", "resourceManagerEndpoint"),
            (
                r#"{"resourceManagerEndpoint":"http://a","activeDirectoryEndpoint":"https://b"}"#,
                "not an https",
            ),
            (r#"{"resourceManagerEndpoint":"https://a","activeDirectoryEndpoint":"http://b"}"#, "https"),
        ];
        for (content, problem) in cases {
            let text = custom(content).unwrap_err().to_string();
            assert!(text.contains("endpoints.json") && text.contains(problem), "{text}");
        }
    }
}
