//! Which addresses may be asked for tokens?
//!
//! An `AzureIdentity` may name an authority (`adEndpoint`), and the client secret is sent there.
//! The original took any URL and echoed its answer (W-03); here it has to be https and its host on
//! a list.

use std::collections::BTreeSet;
use std::fmt;

use http::Uri;

/// An authority that may be asked: an https address with a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority(String);

/// Hosts that an object of the cluster may name as its authority.
#[derive(Clone, Debug)]
pub struct AllowedAuthorities {
    hosts: BTreeSet<String>,
}

/// Why an address is no authority; its owner has to change it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthority {
    /// It is not a plain https address.
    #[error("{0:?} is not a plain https address such as https://login.microsoftonline.com/")]
    Form(String),
    /// Its host is not on the list.
    #[error("authority {0:?} is not allowed; the cluster's operator can allow it with --allowed-authority")]
    Host(String),
}

/// Authorities of the public, US Government, China and German clouds.
const KNOWN_HOSTS: [&str; 8] = [
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
    "login.microsoftonline.us",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "login.microsoftonline.de",
];

// === impl Authority ===

impl Authority {
    /// The address, with a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The authority's token endpoint for `tenant`, a GUID or a domain name.
    ///
    /// It is the v1 endpoint, as in the original: it takes a `resource` as the pod names it, answers
    /// all fields that IMDS answers, and exists on ADFS too.
    pub fn token_endpoint(&self, tenant: &str) -> String {
        format!("{}{tenant}/oauth2/token", self.0)
    }

    pub(super) fn of_host(host: &str) -> Self {
        Self(format!("https://{host}/"))
    }

    /// An authority that the node's operator configured: https, any host.
    pub(super) fn of_operator(text: &str) -> Result<Self, InvalidAuthority> {
        parse(text).map(|(authority, _)| authority)
    }

    /// An authority over plain http, for fakes.
    #[cfg(test)]
    pub(crate) fn fake(address: &str) -> Self {
        Self(format!("http://{address}/"))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl AllowedAuthorities ===

impl AllowedAuthorities {
    /// The authorities of all Azure clouds, and `more` hosts.
    pub fn with(more: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut hosts: BTreeSet<String> = KNOWN_HOSTS.iter().map(|host| (*host).to_owned()).collect();
        for host in more {
            // People write hosts and addresses; both mean the host.
            let text = host.as_ref().trim();
            let host = parse(text).map_or_else(|_| text.to_owned(), |(_, host)| host);
            hosts.insert(host.to_ascii_lowercase());
        }
        Self { hosts }
    }

    /// Allows the authority of `cloud` as well.
    #[must_use]
    pub fn and_cloud(mut self, cloud: &super::Cloud) -> Self {
        if let Ok((_, host)) = parse(cloud.endpoints.authority.as_str()) {
            self.hosts.insert(host);
        }
        self
    }

    /// The authority at `text`, if it is one that may be asked.
    pub fn check(&self, text: &str) -> Result<Authority, InvalidAuthority> {
        let (authority, host) = parse(text)?;
        if self.hosts.contains(&host) { Ok(authority) } else { Err(InvalidAuthority::Host(host)) }
    }
}

impl Default for AllowedAuthorities {
    fn default() -> Self {
        Self::with(std::iter::empty::<&str>())
    }
}

/// The address with its slash, and its host with a port that is not the usual one, in lower case.
fn parse(text: &str) -> Result<(Authority, String), InvalidAuthority> {
    let text = text.trim();
    let form = || InvalidAuthority::Form(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| form())?;
    let authority = uri.authority().ok_or_else(form)?;
    let is_plain = uri.scheme_str() == Some("https")
        && !authority.as_str().contains('@')
        && !authority.host().is_empty()
        && uri.query().is_none()
        && !text.contains('#')
        && !uri.path().contains("..");
    if !is_plain {
        return Err(form());
    }
    let host = authority.host().to_ascii_lowercase();
    let host = match authority.port_u16() {
        Some(port) if port != 443 => format!("{host}:{port}"),
        _ => host,
    };
    let path = uri.path().trim_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    Ok((Authority(format!("https://{host}/{path}{slash}")), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_authorities_are_allowed() {
        let allowed = AllowedAuthorities::default();
        let cases = [
            ("https://login.microsoftonline.com", "https://login.microsoftonline.com/"),
            ("https://LOGIN.microsoftonline.us/", "https://login.microsoftonline.us/"),
            (" https://login.chinacloudapi.cn:443/ ", "https://login.chinacloudapi.cn/"),
        ];
        for (text, address) in cases {
            assert_eq!(allowed.check(text).unwrap().as_str(), address);
        }
    }

    /// W-03.
    #[test]
    fn nothing_else_is_asked() {
        let allowed = AllowedAuthorities::default();
        let cases = [
            "",
            "login.microsoftonline.com",
            "http://login.microsoftonline.com/",
            "https://login.microsoftonline.com.evil.example/",
            "https://evil.example/login.microsoftonline.com",
            "https://login.microsoftonline.com@evil.example/",
            "https://evil@login.microsoftonline.com/",
            "https://login.microsoftonline.com:8443/",
            "https://login.microsoftonline.com/?x=1",
            "https://login.microsoftonline.com/#x",
            "https://login.microsoftonline.com/a/../b",
            "https://169.254.169.254/",
            "file:///etc/passwd",
        ];
        for text in cases {
            assert!(allowed.check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_operator_may_allow_more() {
        let allowed = AllowedAuthorities::with(["adfs.example", "https://Other.example/adfs"]);
        assert_eq!(
            allowed.check("https://adfs.example/adfs").unwrap().as_str(),
            "https://adfs.example/adfs/"
        );
        assert!(allowed.check("https://other.example").is_ok());
        assert!(matches!(allowed.check("https://third.example"), Err(InvalidAuthority::Host(_))));
    }
}
