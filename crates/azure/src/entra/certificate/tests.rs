use secrecy::SecretString;

use super::*;

const PEM: &str = include_str!("../testdata/certificate.pem");
const OTHER: &str = include_str!("../testdata/other-certificate.pem");

fn problem(pem: &[u8]) -> String {
    Certificate::from_pem(pem, Scheme::Ps256).unwrap_err().to_string()
}

#[test]
fn finds_the_certificate_of_the_key_wherever_it_stands() {
    let alone = Certificate::from_pem(PEM.as_bytes(), Scheme::Ps256).unwrap();
    let after_issuer = format!("{OTHER}{PEM}");
    let both = Certificate::from_pem(after_issuer.as_bytes(), Scheme::Ps256).unwrap();
    assert_eq!(both.thumbprint(), alone.thumbprint());
    assert_eq!((alone.chain().len(), both.chain().len()), (1, 2));
    assert_eq!(alone.chain()[0], both.chain()[0]);
}

#[test]
fn thumbprints_are_those_of_openssl() {
    let modern = Certificate::from_pem(PEM.as_bytes(), Scheme::Ps256).unwrap();
    let old = Certificate::from_pem(PEM.as_bytes(), Scheme::Rs256).unwrap();
    // openssl x509 -outform der | openssl dgst -sha256 -binary | basenc --base64url
    assert_eq!(modern.thumbprint(), ("x5t#S256", include_str!("../testdata/sha256.txt").trim().to_owned()));
    assert_eq!(old.thumbprint(), ("x5t", include_str!("../testdata/sha1.txt").trim().to_owned()));
}

/// W-39.
#[test]
fn what_cannot_be_used_is_said_with_the_remedy() {
    assert!(problem(b"").contains("is empty"));
    assert!(problem(b"text").contains("neither PEM nor PKCS#12"));
    assert!(problem(include_bytes!("../testdata/pfx/curve.pem")).contains("not RSA"));
    assert!(problem(OTHER.as_bytes()).contains("no private key"));
    assert!(problem(b"-----BEGIN ENCRYPTED PRIVATE KEY-----").contains("passphrase"));
    let key_only = PEM.split("-----BEGIN CERTIFICATE-----").next().unwrap();
    assert!(problem(key_only.as_bytes()).contains("without the certificate"));
    assert!(problem(format!("{key_only}{OTHER}").as_bytes()).contains("without the certificate"));
}

#[test]
fn debug_shows_no_key() {
    let certificate = Certificate::from_pem(PEM.as_bytes(), Scheme::Ps256).unwrap();
    assert!(format!("{certificate:?}").starts_with("Certificate { thumbprint: "));
}

fn pfx(bytes: &[u8], password: Option<&str>) -> Result<Certificate, Unusable> {
    Certificate::read(bytes, password.map(SecretString::from).as_ref(), Scheme::Ps256)
}

const MODERN: &[u8] = include_bytes!("../testdata/pfx/modern.pfx");
const OPEN: &[u8] = include_bytes!("../testdata/pfx/open.pfx");

#[test]
fn w39_pkcs12_of_openssl_1_openssl_3_and_windows_is_opened_with_its_chain() {
    let thumbprint = include_str!("../testdata/pfx/sha256.txt").trim();
    let cases: [(&[u8], Option<&str>); 5] = [
        (MODERN, Some("s3cret")),
        (include_bytes!("../testdata/pfx/legacy.pfx"), Some("s3cret")),
        (include_bytes!("../testdata/pfx/des.pfx"), Some("s3cret")),
        (OPEN, Some("")),
        (OPEN, None),
    ];
    for (index, (bytes, password)) in cases.into_iter().enumerate() {
        let certificate = pfx(bytes, password).unwrap_or_else(|error| panic!("{index}: {error}"));
        assert_eq!(certificate.thumbprint().1, thumbprint, "{index}");
        assert_eq!(certificate.chain().len(), 2, "{index}: its issuer goes into x5c, too");
    }
}

#[test]
fn a_line_end_behind_the_password_is_not_part_of_it() {
    assert!(pfx(MODERN, Some("s3cret\n")).is_ok());
    assert!(pfx(OPEN, Some("\r\n")).is_ok());
}

#[test]
fn w39_a_pkcs12_file_that_cannot_be_used_says_why() {
    let curve = include_bytes!("../testdata/pfx/curve.pfx");
    let no_key = include_bytes!("../testdata/pfx/no-key.pfx");
    for (bytes, password, part) in [
        (MODERN, Some("wrong"), "this password does not open"),
        (MODERN, None, "this password does not open"),
        (no_key, Some("s3cret"), "no private key"),
        (curve, Some("s3cret"), "not RSA"),
        (&MODERN[..200], Some("s3cret"), "damaged"),
        (&[0x30], None, "damaged"),
        (b"", Some("s3cret"), "is empty"),
    ] as [(&[u8], _, _); 7]
    {
        let problem = pfx(bytes, password).unwrap_err().to_string();
        assert!(problem.contains(part), "{part}: {problem}");
        assert!(!problem.contains("s3cret"), "{problem}");
    }
}

#[test]
fn no_cut_or_bent_pkcs12_file_panics() {
    for length in (0..MODERN.len()).step_by(31) {
        let _ = pfx(&MODERN[..length], Some("s3cret"));
    }
    for position in (0..300).step_by(3) {
        let mut bent = MODERN.to_vec();
        bent[position] ^= 0x55;
        let _ = pfx(&bent, Some("s3cret"));
    }
}

#[test]
fn a_certificate_is_refused_when_its_time_is_over() {
    let certificate = pfx(MODERN, Some("s3cret")).unwrap();
    assert_eq!(certificate.check(Timestamp::from_second(1_900_000_000).unwrap()), Ok(()));
    let later: Timestamp = "2200-01-01T00:00:00Z".parse().unwrap();
    let problem = certificate.check(later).unwrap_err().to_string();
    assert!(problem.starts_with("expired at 2126-"), "{problem}");
}
