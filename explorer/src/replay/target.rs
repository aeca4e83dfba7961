//! Where to send: an OTLP/HTTP endpoint and its headers, from the command line or from OTLP's own variables.

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::groups::Signal;

/// OTLP/HTTP's own port (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-default-port>).
const DEFAULT: &str = "http://localhost:4318";

/// Address and headers of each signal.
#[derive(Debug)]
pub(super) struct Target {
    uris: [Uri; 3],
    headers: [HeaderMap; 3],
}

// === impl Target ===

impl Target {
    /// As `endpoint` and `header` say, else as the variables do
    /// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). The variables' headers, which may be secret, go
    /// only to the variables' endpoint.
    ///
    /// # Errors
    ///
    /// When an address or a header is none.
    pub(super) fn new(
        endpoint: Option<&str>,
        header: &[String],
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut target = Self { uris: Default::default(), headers: Default::default() };
        for (at, signal) in Signal::ALL.into_iter().enumerate() {
            let upper = signal.name().to_uppercase();
            let own = |what: &str| variable(&format!("OTEL_EXPORTER_OTLP_{upper}_{what}"));
            let all = |what: &str| variable(&format!("OTEL_EXPORTER_OTLP_{what}"));
            target.uris[at] = match (endpoint, own("ENDPOINT")) {
                (Some(endpoint), _) => uri(endpoint, signal)?,
                (None, Some(whole)) => checked(&whole)?,
                (None, None) => uri(all("ENDPOINT").as_deref().unwrap_or(DEFAULT), signal)?,
            };
            if endpoint.is_none() {
                let pairs = own("HEADERS").or_else(|| all("HEADERS")).unwrap_or_default();
                for pair in pairs.split(',').filter(|pair| !pair.trim().is_empty()) {
                    let (name, value) =
                        pair.split_once('=').context("a header of the environment has no =")?;
                    let value = percent_encoding::percent_decode_str(value.trim()).collect::<Vec<u8>>();
                    add(&mut target.headers[at], name, &value)?;
                }
            }
            for pair in header {
                let (name, value) = pair.split_once([':', '=']).context("--header takes NAME: VALUE")?;
                add(&mut target.headers[at], name, value.trim().as_bytes())?;
            }
        }
        Ok(target)
    }

    pub(super) fn of(&self, signal: Signal) -> (&Uri, &HeaderMap) {
        (&self.uris[signal as usize], &self.headers[signal as usize])
    }

    /// As people may read it: a query may hold a key.
    pub(super) fn told(&self) -> String {
        let uri = &self.uris[0];
        let query = if uri.query().is_some() { "?***" } else { "" };
        let scheme = uri.scheme_str().unwrap_or_default();
        let host = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        format!("{scheme}://{host}{}{query}", uri.path())
    }
}

/// The path of the signal is added to that of the endpoint, which may be that of a signal already.
fn uri(endpoint: &str, signal: Signal) -> anyhow::Result<Uri> {
    let (address, query) = endpoint.split_once('?').map_or((endpoint, None), |(a, q)| (a, Some(q)));
    let address = address.trim_end_matches('/');
    let base = Signal::ALL
        .into_iter()
        .find_map(|known| address.strip_suffix(&format!("/v1/{}", known.name())))
        .unwrap_or(address);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    checked(&format!("{base}/v1/{}{query}", signal.name()))
}

fn checked(text: &str) -> anyhow::Result<Uri> {
    let uri: Uri = text.trim().parse().context("the endpoint is not a URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        bail!("the endpoint does not begin with http:// or https://");
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        bail!("the endpoint holds user and password; --header takes them");
    }
    Ok(uri)
}

fn add(headers: &mut HeaderMap, name: &str, value: &[u8]) -> anyhow::Result<()> {
    let name: HeaderName = name.trim().parse().context("a header's name is none")?;
    let mut value = HeaderValue::from_bytes(value).with_context(|| format!("the value of {name} is none"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(endpoint: Option<&str>, header: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Target> {
        let header: Vec<_> = header.iter().map(|&header| header.to_owned()).collect();
        let value = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        Target::new(endpoint, &header, value)
    }

    #[test]
    fn the_endpoint_is_the_command_line_s_or_the_environment_s() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all/x/");
        let own = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:1/ingest");
        for (endpoint, env, traces, logs) in [
            (None, &[][..], "http://localhost:4318/v1/traces", "http://localhost:4318/v1/logs"),
            (None, &[base, own], "https://all/x/v1/traces", "http://logs:1/ingest"),
            (Some("http://b/v1/traces?k=1"), &[base, own], "http://b/v1/traces?k=1", "http://b/v1/logs?k=1"),
        ] {
            let target = target(endpoint, &[], env).unwrap();
            assert_eq!(target.of(Signal::Traces).0.to_string(), traces);
            assert_eq!(target.of(Signal::Logs).0.to_string(), logs);
            assert!(!target.told().contains("k=1"));
        }
    }

    #[test]
    fn headers_of_the_environment_go_to_its_endpoint_only() {
        let env = [("OTEL_EXPORTER_OTLP_HEADERS", "key=a%20b, x=y")];
        let from_env = target(None, &["Other: c=d:e"], &env).unwrap();
        let headers = from_env.of(Signal::Traces).1;
        assert_eq!(
            (&headers["key"], &headers["x"], &headers["other"]),
            (&"a b".parse().unwrap(), &"y".parse().unwrap(), &"c=d:e".parse().unwrap())
        );
        let named = target(Some("http://elsewhere"), &[], &env).unwrap();
        assert!(named.of(Signal::Traces).1.is_empty());
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused() {
        for (endpoint, header) in
            [("x", "a: b"), ("ftp://x", "a: b"), ("http://u:p@x", "a: b"), ("http://x", "a")]
        {
            assert!(target(Some(endpoint), &[header], &[]).is_err(), "{endpoint} {header}");
        }
    }
}
