//! The destination `aws`: CloudWatch's OTLP endpoints of the function's region, with the function's own credentials.
//!
//! What Lambda and AWS's SDKs call these things is what they are called here.

use super::Export;
use crate::endpoint::Endpoint;
use crate::export::{Aws, Source};
use crate::intake::Encoding;
use crate::sigv4::Credentials;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

/// What a variable says, if it is set.
pub(super) type Variables<'v, 'e> = &'v dyn Fn(&str) -> Option<&'e str>;

/// Reads what Lambda sets. `headers` are those of this destination alone.
pub(super) fn read(
    variables: Variables<'_, '_>,
    mut headers: HeaderMap,
    encoding: Encoding,
) -> Result<Export, &'static str> {
    let region = region(variables)?;
    let endpoint = |variable: &str, name: &str| match variables(variable) {
        Some(url) => {
            Endpoint::parse(url).map_err(|_| "needs a URL in AWS_ENDPOINT_URL_XRAY and _CLOUDWATCH_LOGS")
        }
        None => service(name, region),
    };
    // Logs cannot do without; those of the function itself are there already.
    for (name, variable) in
        [("x-aws-log-group", "AWS_LAMBDA_LOG_GROUP_NAME"), ("x-aws-log-stream", "AWS_LAMBDA_LOG_STREAM_NAME")]
    {
        let name = HeaderName::from_static(name);
        if let Some(value) = variables(variable).and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.entry(name).or_insert(value);
        }
    }
    Ok(Export::Aws(Box::new(Aws {
        region: region.to_owned(),
        source: source(variables)?,
        traces: endpoint("AWS_ENDPOINT_URL_XRAY", "xray")?,
        logs: endpoint("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "logs")?,
        headers,
        encoding,
    })))
}

/// The region that Lambda names.
pub(super) fn region<'e>(variables: Variables<'_, 'e>) -> Result<&'e str, &'static str> {
    let region = variables("AWS_REGION").or_else(|| variables("AWS_DEFAULT_REGION"));
    region.filter(|region| is_region(region)).ok_or("needs AWS_REGION")
}

/// Whether it may be put into the name of a host.
pub(super) fn is_region(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Where a service is.
pub(super) fn service(name: &str, region: &str) -> Result<Endpoint, &'static str> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Endpoint::parse(&format!("https://{name}.{region}.{suffix}"))
}

/// Where credentials come from.
pub(super) fn source(variables: Variables<'_, '_>) -> Result<Source, &'static str> {
    let text = |variable| variables(variable).unwrap_or_default().to_owned();
    let (id, secret) = (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY"));
    if !id.is_empty() && !secret.is_empty() {
        let session_token = text("AWS_SESSION_TOKEN");
        let credentials = Credentials { access_key_id: id, secret_access_key: secret, session_token };
        return Ok(Source::Environment(credentials));
    }
    let uri = variables("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        .ok_or("needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_CONTAINER_CREDENTIALS_FULL_URI")?;
    const BAD: &str = "needs an http URL on this machine in AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let endpoint =
        Endpoint::parse(uri).ok().filter(|endpoint| endpoint.is_loopback() && !endpoint.tls()).ok_or(BAD)?;
    let target =
        uri.parse::<Uri>().ok().and_then(|uri| uri.path_and_query().map(ToString::to_string)).ok_or(BAD)?;
    let mut token = HeaderValue::from_str(&text("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
        .map_err(|_| "needs a valid AWS_CONTAINER_AUTHORIZATION_TOKEN")?;
    token.set_sensitive(true);
    Ok(Source::Container { endpoint, target, token })
}

#[cfg(test)]
mod tests {
    use super::{Export, Source, read};
    use crate::intake::Encoding;
    use http::{HeaderMap, HeaderValue};

    fn reads(variables: &[(&str, &'static str)]) -> Result<Export, &'static str> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let own = HeaderMap::from_iter([(
            "x-aws-log-stream".parse().expect("a name"),
            HeaderValue::from_static("own"),
        )]);
        read(&value, own, Encoding::Protobuf)
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];

    #[test]
    fn what_lambda_sets_is_enough() {
        let lambda = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "theirs"),
        ];
        let Ok(Export::Aws(aws)) = reads(&[&lambda[..], &KEYS].concat()) else { panic!("it is enough") };
        assert_eq!((aws.traces.host(), aws.traces.tls()), ("xray.eu-west-1.amazonaws.com", true));
        assert_eq!(aws.logs.host(), "logs.eu-west-1.amazonaws.com");
        assert_eq!(
            (&aws.headers["x-aws-log-group"], &aws.headers["x-aws-log-stream"]),
            (&"/aws/lambda/f".parse().expect("text"), &"own".parse().expect("text"))
        );
        assert!(matches!(aws.source, Source::Environment(_)) && !format!("{aws:?}").contains("hunter2"));
    }

    #[test]
    fn a_snapshot_has_credentials_at_an_address() {
        let snapshot = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9001/2021-08-11/credentials?x=1"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2"),
        ];
        let Ok(Export::Aws(aws)) = reads(&snapshot) else { panic!("it is enough") };
        let Source::Container { endpoint, target, .. } = &aws.source else { panic!("an address") };
        assert_eq!((endpoint.port(), target.as_str()), (9001, "/2021-08-11/credentials?x=1"));
        assert!(!format!("{aws:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_missing_is_told() {
        let region = [("AWS_REGION", "eu-west-1")];
        let away = [region[0], ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/")];
        for (variables, told) in
            [(&KEYS[..], "AWS_REGION"), (&region, "AWS_ACCESS_KEY_ID"), (&away, "on this machine")]
        {
            assert!(reads(variables).expect_err("it is not enough").contains(told), "{told}");
        }
    }
}
