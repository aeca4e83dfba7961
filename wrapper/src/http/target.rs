//! Where a request goes, and how much of that may be told.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// What stands in `url.full` for what is not told
/// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>).
const REDACTED: &str = "REDACTED";

/// Parameters that make a URL a presigned one: of AWS, in both versions of its signature, and of Google's storage.
const SIGNATURES: [&str; 3] = ["X-Amz-Signature", "AWSAccessKeyId", "X-Goog-Signature"];

/// A request's target.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    /// The URL without secrets, where all of it is known.
    pub(super) full: Option<String>,
    /// The URL itself is the permission to use it.
    pub(super) presigned: bool,
}

impl Target {
    /// `headers` tell the host where the address is a path alone.
    pub(super) fn of_uri(uri: &Uri, headers: &HeaderMap) -> Self {
        let from_header = || headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
        let authority = uri.authority().cloned().or_else(from_header);
        let port = authority.as_ref().and_then(Authority::port_u16).or(match uri.scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        });
        Self {
            host: authority.map(|authority| authority.host().trim_matches(['[', ']']).to_owned()),
            port,
            full: uri.scheme().is_some().then(|| redacted(&uri.to_string())),
            presigned: uri.query().is_some_and(is_signed),
        }
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn of_url(url: &reqwest::Url) -> Self {
        Self {
            host: url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()),
            port: url.port_or_known_default(),
            full: Some(redacted(url.as_str())),
            presigned: url.query().is_some_and(is_signed),
        }
    }
}

fn is_signed(query: &str) -> bool {
    query.split('&').any(|pair| {
        let key = pair.split('=').next().unwrap_or_default();
        SIGNATURES.iter().any(|signature| key.eq_ignore_ascii_case(signature))
    })
}

/// `url` without credentials, without the values of its query, and without its fragment.
///
/// The conventions name a few keys whose values are secrets; which others are, only the service knows.
fn redacted(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (rest, query) = url.split_once('?').map_or((url, None), |(rest, query)| (rest, Some(query)));
    let (scheme, rest) = rest.split_once("://").map_or(("", rest), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let credentials = if host.len() < authority.len() { "REDACTED:REDACTED@" } else { "" };
    let mut told = format!("{scheme}://{credentials}{host}{path}");
    for (number, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        told.push(if number == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((key, _)) => told.extend([key, "=", REDACTED]),
            // A key without a value may be a token that stands alone.
            None if pair.is_empty() => {}
            None => told.push_str(REDACTED),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(uri: &str) -> Target {
        Target::of_uri(&uri.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn host_and_port_are_told_and_secrets_are_not() {
        for (uri, host, port, full) in [
            ("https://a.example/x", "a.example", 443, "https://a.example/x"),
            ("http://a.example", "a.example", 80, "http://a.example/"),
            ("http://[::1]:81/x", "::1", 81, "http://[::1]:81/x"),
            ("https://u:s3cret@a.example/x", "a.example", 443, "https://REDACTED:REDACTED@a.example/x"),
            (
                "https://a.example/x?q=s3cret&sig=s3cret",
                "a.example",
                443,
                "https://a.example/x?q=REDACTED&sig=REDACTED",
            ),
            ("https://a.example/x?s3cret", "a.example", 443, "https://a.example/x?REDACTED"),
            ("https://a.example/x?a=b?c=d/e@f", "a.example", 443, "https://a.example/x?a=REDACTED"),
        ] {
            let target = of(uri);
            assert_eq!((target.host.as_deref(), target.port), (Some(host), Some(port)), "{uri}");
            assert_eq!(target.full.as_deref(), Some(full));
        }
    }

    #[test]
    fn a_path_alone_has_the_host_of_its_header() {
        let headers = HeaderMap::from_iter([(HOST, "a.example:81".parse().unwrap())]);
        let target = Target::of_uri(&"/x?q=1".parse().unwrap(), &headers);
        assert_eq!((target.host.as_deref(), target.port, target.full), (Some("a.example"), Some(81), None));
        assert_eq!(of("/x").host, None);
    }

    #[test]
    fn a_presigned_address_is_known() {
        for (uri, presigned) in [
            ("https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Signature=f", true),
            ("https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Signature=f&Expires=1", true),
            ("https://storage.googleapis.com/b/k?x-goog-signature=f", true),
            ("https://a.example/?q=X-Amz-Signature", false),
            ("https://a.example/X-Amz-Signature=f", false),
        ] {
            assert_eq!(of(uri).presigned, presigned, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_redacted_without_harm(url in ".*") {
            let _ = redacted(&url);
        }

        #[test]
        fn no_value_is_told(key in "[a-z]{1,5}", value in "[A-Z0-9@/?:=]{4,20}", more in "[a-z]{0,5}") {
            let told = redacted(&format!("https://u:{value}@a.example/p?{key}={value}&{more}#{value}"));
            let expected = if more.is_empty() { String::new() } else { REDACTED.to_owned() };
            // A password with a slash ends the authority, as it does for whoever sends the request.
            if !value.contains(['/', '?']) {
                prop_assert_eq!(told, format!("https://REDACTED:REDACTED@a.example/p?{key}=REDACTED&{expected}"));
            }
        }
    }
}
