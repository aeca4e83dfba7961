//! `ClientContext`: JSON in Base64, whose member `custom` holds strings for the function.
//!
//! It reaches the function's runtime as a header and is read there before any code of ours. So a context that a
//! runtime couldn't read must never come of one that it could: `lambda_runtime` wants `custom` to be strings alone
//! and the whole to be ASCII.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::RawValue;

use crate::aws::outcome::Skipped;
use crate::propagation::{Carrier, MEMBER};

/// The longest `ClientContext`, in bytes of Base64
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>).
const MAX: usize = 3583;

/// The caller's `ClientContext`, or a new one, with the context among its custom strings; and why not all of the
/// context is there. Every byte of the caller's stays. What is not of the shape that the runtime wants is refused.
pub(super) fn with_context(
    own: Option<&str>,
    carrier: &Carrier,
) -> Result<(String, Option<Skipped>), Skipped> {
    let text = match own {
        None | Some("") => "{}".to_owned(),
        Some(own) if own.len() > MAX => return Err(Skipped::TooLarge),
        Some(own) => {
            let bytes = BASE64_STANDARD.decode(own).map_err(|_| Skipped::NotJsonObject)?;
            String::from_utf8(bytes).map_err(|_| Skipped::NotJsonObject)?
        }
    };
    let place = Place::find(&text)?;
    let all = [
        ("traceparent", Some(&carrier.traceparent)),
        ("tracestate", carrier.tracestate.as_ref()),
        ("baggage", carrier.baggage.as_ref()),
    ];
    let mut members: Vec<String> = all
        .into_iter()
        .filter(|(name, _)| !place.custom.contains_key(*name))
        .filter_map(|(name, value)| Some(format!("\"{name}\":{}", serde_json::to_string(value?).ok()?)))
        .filter(|member| member.is_ascii())
        .collect();
    let mut skipped = None;
    // Baggage is given up first, then `tracestate`.
    while !members.is_empty() {
        let written = BASE64_STANDARD.encode(place.insert(&text, &members.join(",")));
        if written.len() <= MAX {
            return Ok((written, skipped));
        }
        skipped = Some(Skipped::TooLarge);
        members.pop();
    }
    Err(Skipped::TooLarge)
}

/// Where members go.
struct Place {
    /// Before the brace that ends the object `custom`, or the whole where it has none.
    at: usize,
    has_custom: bool,
    /// Whether something stands before them.
    follows: bool,
    custom: BTreeMap<String, String>,
}

impl Place {
    fn find(text: &str) -> Result<Self, Skipped> {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|_| Skipped::NotJsonObject)?;
        let Some(raw) = members.get("custom").map(|raw| raw.get()) else {
            let at = text.rfind('}').ok_or(Skipped::NotJsonObject)?;
            let (has_custom, follows) = (false, !members.is_empty());
            return Ok(Self { at, has_custom, follows, custom: BTreeMap::new() });
        };
        let custom: BTreeMap<String, String> =
            serde_json::from_str(raw).map_err(|_| Skipped::NotJsonObject)?;
        if custom.contains_key("traceparent") || custom.contains_key(MEMBER) {
            return Err(Skipped::CallerSet);
        }
        // The value is a slice of the text.
        let end = (raw.as_ptr() as usize + raw.len()).checked_sub(text.as_ptr() as usize);
        let at = end.and_then(|end| end.checked_sub(1)).ok_or(Skipped::NotJsonObject)?;
        Ok(Self { at, has_custom: true, follows: !custom.is_empty(), custom })
    }

    fn insert(&self, text: &str, members: &str) -> String {
        let (before, after) = text.split_at_checked(self.at).unwrap_or((text, ""));
        let comma = if self.follows { "," } else { "" };
        if self.has_custom {
            format!("{before}{comma}{members}{after}")
        } else {
            format!("{before}{comma}\"custom\":{{{members}}}{after}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue};
    use lambda_runtime::{Config, Context};
    use proptest::prelude::*;

    use super::*;

    fn carrier() -> Carrier {
        Carrier {
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            tracestate: Some("vendor=1".to_owned()),
            baggage: Some("correlation.id=c-1".to_owned()),
        }
    }

    fn write(own: Option<&str>) -> Result<(String, Option<Skipped>), Skipped> {
        let own = own.map(|own| BASE64_STANDARD.encode(own));
        let (written, skipped) = with_context(own.as_deref(), &carrier())?;
        assert!(written.len() <= MAX);
        Ok((String::from_utf8(BASE64_STANDARD.decode(written).unwrap()).unwrap(), skipped))
    }

    /// The custom strings as `lambda_runtime` gives them to a function; `None` where its process would end.
    fn received(text: &str) -> Option<HashMap<String, String>> {
        let mut headers = HeaderMap::new();
        headers.insert("lambda-runtime-deadline-ms", HeaderValue::from_static("1"));
        headers.insert("lambda-runtime-client-context", HeaderValue::from_bytes(text.as_bytes()).ok()?);
        let context = Context::new("r-1", Arc::new(Config::default()), &headers).ok()?;
        Some(context.client_context?.custom)
    }

    const ADDED: &str = concat!(
        r#""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","#,
        r#""tracestate":"vendor=1","baggage":"correlation.id=c-1""#
    );

    #[test]
    fn the_context_is_among_the_custom_strings_and_every_byte_of_the_callers_stays() {
        for (own, before, after) in [
            ("{}", r#"{"custom":{"#, "}}"),
            (r#" {"env":{"a": 1.50}} "#, r#" {"env":{"a": 1.50},"custom":{"#, "}} "),
            (r#"{"custom" : { } ,"x":"}"}"#, r#"{"custom" : { "#, r#"} ,"x":"}"}"#),
            (r#"{"custom":{"k":"\u00e9"}}"#, r#"{"custom":{"k":"\u00e9","#, "}}"),
        ] {
            assert_eq!(write(Some(own)), Ok((format!("{before}{ADDED}{after}"), None)), "{own}");
        }
        assert_eq!(write(None), Ok((format!("{{\"custom\":{{{ADDED}}}}}"), None)));
    }

    #[test]
    fn the_rust_runtime_can_read_it() {
        let client = r#""client":{"installationId":"","appTitle":"","appVersionName":"","appVersionCode":"","appPackageName":""}"#;
        let whole = format!("{{{client},\"custom\":{{\"k\":\"v\"}},\"environment\":{{\"a\":\"b\"}}}}");
        for own in [None, Some("{}"), Some(whole.as_str())] {
            let (written, _) = write(own).unwrap();
            let custom = received(&written).unwrap();
            assert_eq!(custom["traceparent"], carrier().traceparent);
            assert_eq!(custom["baggage"], "correlation.id=c-1");
            assert_eq!(custom.contains_key("k"), own.is_some_and(|own| own.len() > 2));
        }
    }

    #[test]
    fn what_the_runtime_would_not_read_is_left_alone() {
        for own in
            ["", "1", "[]", "{", "{}{}", r#"{"custom":null}"#, r#"{"custom":{"n":1}}"#, r#"{"custom":"x"}"#]
        {
            let own = if own.is_empty() { " " } else { own };
            assert_eq!(write(Some(own)), Err(Skipped::NotJsonObject), "{own}");
        }
        assert_eq!(with_context(Some("no Base64"), &carrier()), Err(Skipped::NotJsonObject));
        assert_eq!(with_context(Some("_w=="), &carrier()), Err(Skipped::NotJsonObject));
    }

    #[test]
    fn a_context_of_the_caller_stays() {
        for own in [r#"{"custom":{"traceparent":"mine"}}"#, r#"{"custom":{"_throughline":"mine"}}"#] {
            assert_eq!(write(Some(own)), Err(Skipped::CallerSet));
        }
        let (written, _) = write(Some(r#"{"custom":{"baggage":"mine"}}"#)).unwrap();
        assert_eq!(received(&written).unwrap()["baggage"], "mine");
    }

    #[test]
    fn what_would_not_fit_is_given_up_in_order() {
        // In Base64, 2,685 bytes are 3,580.
        let whole = r#"{"custom":{"k":""}}"#.len() + 1 + ADDED.len();
        let traceparent = r#""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01""#.len();
        let state = r#","tracestate":"vendor=1""#.len();
        let baggage = ADDED.len() - traceparent - state;
        let own = |bytes: usize| format!(r#"{{"custom":{{"k":"{}"}}}}"#, "x".repeat(bytes));
        let outcome = |bytes: usize| {
            let (written, skipped) = write(Some(&own(bytes)))?;
            Ok((received(&written).unwrap().len(), skipped))
        };
        let fits = 2685 - whole;
        let large = Some(Skipped::TooLarge);
        assert_eq!(outcome(fits), Ok((4, None)));
        assert_eq!(outcome(fits + 1), Ok((3, large)));
        assert_eq!(outcome(fits + baggage), Ok((3, large)));
        assert_eq!(outcome(fits + baggage + 1), Ok((2, large)));
        assert_eq!(outcome(fits + baggage + state), Ok((2, large)));
        assert_eq!(outcome(fits + baggage + state + 1), Err(Skipped::TooLarge));
        assert_eq!(with_context(Some(&"A".repeat(MAX + 1)), &carrier()), Err(Skipped::TooLarge));
    }

    proptest! {
        #[test]
        fn whatever_the_runtime_could_read_it_still_can(
            custom in prop::collection::btree_map("[ -~é]{0,5}", "[ -~é]{0,5}", 0..4),
            environment in prop::collection::btree_map("[ -~]{0,5}", "[ -~]{0,5}", 0..4),
        ) {
            let own = serde_json::json!({"custom": custom, "environment": environment}).to_string();
            if let (Some(before), Ok((written, _))) = (received(&own), write(Some(&own))) {
                let after = received(&written);
                prop_assert!(after.is_some(), "{written}");
                let after = after.unwrap_or_default();
                prop_assert!(before.iter().all(|(name, value)| after.get(name) == Some(value)));
                prop_assert_eq!(after.len(), before.len() + 3);
            }
        }

        #[test]
        fn any_text_is_taken_without_harm(own in ".*") {
            let _ = write(Some(&own));
            let _ = with_context(Some(&own), &carrier());
        }
    }
}
