//! What is in the image?

/// The bundle of certificate authorities, where the platform's verifier looks for it.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Users by name, for programs that list processes. The image's own is [`USER`].
const USERS: &str = "root:x:0:0:root:/:/\nnonroot:x:65532:65532:nonroot:/:/\n";
const GROUPS: &str = "root:x:0:\nnonroot:x:65532:\n";

/// Who runs what the manifests do not give a user.
pub(crate) const USER: &str = "65532:65532";

/// What is started.
pub(crate) const ENTRYPOINT: &str = "/podid";

/// One file of the image. Its folders are made as they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// From the root, without a slash before it.
    pub(crate) path: &'static str,
    pub(crate) content: Content,
}

/// What a path of the image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Program(Vec<u8>),
    File(Vec<u8>),
    Link(&'static str),
}

/// Every file of the image. Nothing is there to be written: podid keeps no state on disk.
pub(crate) fn root(binary: Vec<u8>, sbom: Vec<u8>, notices: Vec<u8>) -> Vec<Entry> {
    let file = |path, content| Entry { path, content: Content::File(content) };
    let link = |path| Entry { path, content: Content::Link("podid") };
    vec![
        Entry { path: "podid", content: Content::Program(binary) },
        // A command that names the role, as with the original's images.
        link("mic"),
        link("nmi"),
        link("demo"),
        file(AUTHORITIES, authorities()),
        file("etc/group", GROUPS.into()),
        file("etc/passwd", USERS.into()),
        file("usr/share/licenses/podid.txt", include_bytes!("../../../LICENSE").to_vec()),
        file("usr/share/licenses/third-party.txt", notices),
        file("usr/share/sbom/podid.cdx.json", sbom),
    ]
}

/// Mozilla's list, from a crate, so that it is not the building machine's.
fn authorities() -> Vec<u8> {
    let certificates: Vec<_> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|certificate| pem::Pem::new("CERTIFICATE", certificate.as_ref()))
        .collect();
    let ending = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_many_config(&certificates, ending).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_authorities_are_readable_and_many() {
        let bundle = pem::parse_many(authorities()).unwrap();
        assert!(bundle.len() > 100, "{}", bundle.len());
        assert!(bundle.iter().all(|certificate| certificate.tag() == "CERTIFICATE"));
    }

    #[test]
    fn the_manifests_user_has_a_name() {
        let id = USER.split(':').next().unwrap();
        assert!(USERS.lines().any(|line| line.split(':').nth(2) == Some(id)));
    }
}
