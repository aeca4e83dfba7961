//! Where a request goes.

use memchr::{memchr3, memrchr};

/// The host in a request's URI. The SDK has made sure that it is one, so that nothing is checked again.
pub(super) fn host(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
    let authority = rest.get(..memchr3(b'/', b'?', b'#', rest.as_bytes()).unwrap_or(rest.len()))?;
    let after_user = memrchr(b'@', authority.as_bytes()).map_or(0, |at| at + 1);
    let address = authority.get(after_user..)?;
    // An address of IPv6 has colons of its own, in brackets.
    let is_port = |colon: &usize| address.bytes().skip(*colon + 1).all(|digit| digit.is_ascii_digit());
    let port = memrchr(b':', address.as_bytes()).filter(is_port);
    address.get(..port.unwrap_or(address.len())).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_host_is_what_http_takes_for_it() {
        for uri in [
            "https://sqs.eu-west-1.amazonaws.com/",
            "https://sqs.eu-west-1.amazonaws.com",
            "http://localhost:4566/000000000000/orders?a=b:1@c",
            "https://user:secret@bucket.s3.amazonaws.com:443?x-id=PutObject",
            "http://[::1]:4566/",
            "http://[::1]/",
            "http://127.0.0.1?q",
            "/orders",
            "",
        ] {
            let parsed = uri.parse::<http::Uri>().ok();
            assert_eq!(host(uri), parsed.as_ref().and_then(http::Uri::host), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn so_it_is_of_every_uri_that_the_sdk_may_have(
            scheme in "https?",
            user in "([a-z:%.-]{0,6}@)?",
            host in "[a-zA-Z0-9.-]{1,20}|\\[[0-9a-f:]{2,12}\\]",
            port in "(:[0-9]{0,5})?",
            rest in "([/?][a-zA-Z0-9/?:@%=&.+-]{0,20})?",
        ) {
            let uri = format!("{scheme}://{user}{host}{port}{rest}");
            if let Ok(parsed) = uri.parse::<http::Uri>() {
                // As the SDK has it.
                let uri = parsed.to_string();
                prop_assert_eq!(super::host(&uri), parsed.host(), "{}", uri);
            }
        }
    }
}
