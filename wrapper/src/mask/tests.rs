use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::spelling::head;
use super::*;

fn shown(payload: &Value) -> Value {
    serde_json::from_str(&masked(&payload.to_string(), &Keys::default(), 64 * 1024)).unwrap()
}

#[test]
fn secrets_are_hidden_wherever_they_stand_and_all_else_is_shown() {
    let inside = json!({"password": "hunter2", "order": 7}).to_string();
    let payload = json!({
        "headers": {"authorization": "Bearer x", "accept": "*/*"},
        "body": inside,
        "kinesis": {"partitionKey": "p-1", "data": BASE64_STANDARD.encode(&inside)},
        "dynamodb": {"Keys": {"id": {"S": "o-1"}}, "NewImage": {"token": {"S": "t"}}},
        "env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "STAGE", "value": "prod"}],
        "tags": [{"Key": "ApiKey", "Id": 1, "Value": ["x"]}, {"Key": "pinned", "Value": "x", "less": 1}],
        "card": 4_111_111_111_111_111_u64, "none": {"secret": null, "tokens": []}, "text": "é\"\n",
    });
    let masked = json!({"order": 7, "password": "***"}).to_string();
    assert_eq!(
        shown(&payload),
        json!({
            "headers": {"authorization": "***", "accept": "*/*"},
            "body": masked,
            "kinesis": {"partitionKey": "p-1", "data": masked},
            "dynamodb": {"Keys": {"id": {"S": "o-1"}}, "NewImage": {"token": "***"}},
            "env": [{"name": "DB_PASSWORD", "value": "***"}, {"name": "STAGE", "value": "prod"}],
            "tags": [{"Key": "ApiKey", "Id": 1, "Value": "***"}, {"Key": "pinned", "Value": "x", "less": 1}],
            "card": "***", "none": {"secret": null, "tokens": []}, "text": "é\"\n",
        })
    );
}

#[test]
fn a_value_is_hidden_whose_name_is_another_value() {
    let long = format!("{{\"name\":\"{} password\",\"value\":\"x\"}}", "a".repeat(200));
    for (payload, is) in [
        (r#"{"value":"x","name":"DB_PASSWORD","a":1}"#, r#"{"value":"***","name":"DB_PASSWORD","a":1}"#),
        (r#"{"Value":{"b":["x"]},"Key":"p\u0069n"}"#, r#"{"Value":"***","Key":"pin"}"#),
        (r#"{"value":"","name":"token"}"#, r#"{"value":"","name":"token"}"#),
        (r#"{"key":"token","value":null}"#, r#"{"key":"token","value":null}"#),
        (r#"{"value":"x","name":"stage"}"#, r#"{"value":"x","name":"stage"}"#),
        (
            r#"{"name":"token","a":[{"value":1}],"VALUE":7}"#,
            r#"{"name":"token","a":[{"value":1}],"VALUE":"***"}"#,
        ),
        (r#"{"names":"token","value":7}"#, r#"{"names":"token","value":7}"#),
        (r#"{"name":["token"],"value":7}"#, r#"{"name":["token"],"value":7}"#),
        (r#"{"name":"token","value":"x"#, r#"{"name":"token","value":"***"…"#),
        (&long, &long),
    ] {
        assert_eq!(masked(payload, &Keys::default(), 1000), is);
    }
}

#[test]
fn a_payload_is_cut_and_says_so() {
    let long = format!(r#"{{"text":"{}","password":"hunter2"}}"#, "x".repeat(5_000));
    let masked = masked(&long, &Keys::default(), 100);
    assert!(
        masked.starts_with("{\"text\":\"xxx") && masked.ends_with('…') && masked.len() <= 100,
        "{masked}"
    );
    assert_eq!(super::masked("eighty", &Keys::default(), 8), "eighty", "which fits");
    assert_eq!(super::masked("to ada@example.com", &Keys::default(), 12), "to ***", "no half of an address");
    assert_eq!(
        super::masked("ab ada@example.com", &Keys::default(), 5),
        "ab…",
        "nor of what is in its place"
    );
    for (payload, is) in
        [("not JSON", "not JSON"), ("{\"a\":1,", "{\"a\":1…"), ("", ""), ("7", "7"), ("{", "{…")]
    {
        assert_eq!(super::masked(payload, &Keys::default(), 100), is);
    }
}

#[test]
fn what_is_only_half_json_is_shown_as_far_as_it_may_be() {
    for (payload, is) in [
        ("[2026-01-01T00:00:00] password=hunter2", "[2026-01-01T00:00:00] password=***"),
        ("[GET /a] failed for ada@example.com", "[GET /a] failed for ***"),
        (r#""foo" not found"#, r#""foo" not found"#),
        (
            "{\"a\":1,\"token\":\"x\"}\n{\"token\":\"x\"}\n",
            "{\"a\":1,\"token\":\"***\"}\n{\"token\":\"***\"}",
        ),
        ("{'password': 'hunter2'}", "{'password': '***'}"),
        (r#"{"password":hunter2}"#, r#"{"password":"***"…"#),
        (r#"{"password":"hun"#, r#"{"password":"***"…"#),
    ] {
        assert_eq!(masked(payload, &Keys::default(), 1000), is);
    }
}

#[test]
fn a_text_that_stands_for_another_is_shown_as_that_if_it_hides_something() {
    let base64 = |text: &str| BASE64_STANDARD.encode(text);
    for (text, is) in [
        (base64("password=hunter2"), "password=***".to_owned()),
        (
            base64("nothing to hide").trim_end_matches('=').to_owned(),
            base64("nothing to hide").trim_end_matches('=').to_owned(),
        ),
        (base64(r#"{"token":"é>?"}"#).replace('+', "-").replace('/', "_"), r#"{"token":"***"}"#.to_owned()),
        ("password%3Dhunter2%26a%3D1".to_owned(), "password=***&a=1".to_owned()),
        ("%7B%22password%22%3A%22a%20b%22%7D".to_owned(), r#"{"password":"***"}"#.to_owned()),
        ("a%20b 100%".to_owned(), "a%20b 100%".to_owned()),
        (
            BASE64_STANDARD.encode([b"\x00\xff".as_slice(), &[b'x'; 60], b" password=hunter2"].concat()),
            "***".to_owned(),
        ),
    ] {
        assert_eq!(masked(&text, &Keys::default(), 1000), is, "{text}");
        assert_eq!(shown(&json!({"a": text})), json!({"a": is}));
    }
}

/// Each level doubles the backslashes, and 16 KB have room for some twenty levels.
#[test]
fn texts_within_texts_end_somewhere() {
    let mut payload = json!({"password": "hunter2"}).to_string();
    while payload.len() < 12 * 1024 {
        payload = json!({"d": BASE64_STANDARD.encode(&payload)}).to_string();
    }
    let shown = masked(&payload, &Keys::default(), 64 * 1024);
    assert!(shown.len() < 1024 && !shown.contains("hunter2"), "{shown}");
    assert_eq!(shown.matches(MORE).count(), 1, "{shown}");
}

#[test]
fn depth_ends_somewhere() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(masked(&deep, &Keys::default(), 4096).contains("[\"…\"]"));
}

/// JSON of any shape with this somewhere in it, under a secret name, plain or in a text.
fn with_secret(secret: String) -> impl Strategy<Value = Value> {
    let hidden = prop_oneof![
        Just(json!({"password": secret.clone()})),
        Just(json!({"x": json!({"apiKey": [secret.clone()]}).to_string()})),
        Just(json!({"data": BASE64_STANDARD.encode(json!({"token": {"a": secret.clone()}}).to_string())})),
        Just(json!([format!("a=1&secret={secret}&b=2")])),
        Just(json!({"pin": secret.clone()})),
        Just(json!({"name": "DB_PASSWORD", "value": secret.clone()})),
        Just(json!({"Key": "pin", "Value": {"a": [secret.clone()]}})),
        Just(json!([format!("{:?}", format!("a password:\n  {secret} b"))])),
        Just(json!([format!("a: b\npassword: >-\n  c {secret}\nd: e")])),
        Just(json!({"a": format!("with ghp_{secret}{secret}, b")})),
    ];
    hidden.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            (prop::collection::vec("[a-z\"\\\\é{}]{0,8}", 0..3), inner.clone()).prop_map(
                |(before, inner)| {
                    let mut list: Vec<Value> = before.into_iter().map(Value::from).collect();
                    list.push(inner);
                    Value::from(list)
                }
            ),
            ("[a-z]{1,6}", inner.clone()).prop_map(|(key, inner)| json!({key: inner, "n": 1.5})),
            inner.prop_map(|inner| json!({"body": inner.to_string()})),
        ]
    })
}

proptest! {
    #[test]
    fn no_secret_gets_through(
        (secret, payload) in "[A-Z]{9}[0-9]{9}".prop_flat_map(|s| (Just(s.clone()), with_secret(s))),
        limit in 0_usize..600,
        at in any::<prop::sample::Index>(),
    ) {
        let text = payload.to_string();
        let torn = masked(head(&text, at.index(text.len())), &Keys::default(), 1 << 20);
        prop_assert!(!torn.contains(&secret), "{torn}");
        let short = masked(&text, &Keys::default(), limit);
        prop_assert!(!short.contains(&secret), "{short}");
        prop_assert!(short.len() <= limit.max(MORE.len_utf8()));
        let whole = masked(&text, &Keys::default(), 1 << 20);
        prop_assert!(!whole.contains(&secret) && serde_json::from_str::<Value>(&whole).is_ok(), "{whole}");
    }

    #[test]
    fn any_text_is_survived(
        text in ".*",
        json in "[\\[\\]{}\",:\\\\ a1u@=]{0,200}",
        signs in "(password|pin|token|Bearer|basic|eyJ|AKIA|sk_live_|://|-----BEGIN |-----END |\\\\n|é|[>|\n=:>@ '\"\\\\/?#%4{\\[(-]){0,30}",
        limit in 0_usize..100,
    ) {
        for payload in [text, json, signs] {
            let _ = Keys::default().text(&payload);
            let _ = Keys::default().field("a", &format!("a {payload}"));
            prop_assert!(masked(&payload, &Keys::default(), limit).len() <= limit.max(MORE.len_utf8()));
        }
    }
}
