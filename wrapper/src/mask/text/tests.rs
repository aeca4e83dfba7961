use super::*;

fn shown(text: &str) -> String {
    masked(text, &Keys::default()).into_owned()
}

#[test]
fn what_looks_like_a_secret_is_hidden_and_the_rest_stays() {
    for (text, expected) in [
        ("pay with 4111 1111 1111 1111 now", "pay with *** now"),
        ("order 7 4111 1111 1111 1111 12/27", "order 7 *** 12/27"),
        ("4111-1111-1111-1111", "***"),
        ("378282246310005, 3782 822463 10005", "***, ***"),
        ("4111111111111112 and 1795168800000", "4111111111111112 and 1795168800000"),
        ("0.4111111111111111", "0.4111111111111111"),
        ("mail ada@example.com, please", "mail ***, please"),
        ("<ada@example.com>.", "<***>."),
        ("serde@1.0.2 by x@y", "serde@1.0.2 by x@y"),
        ("arn:aws:iam::123456789012:user/x@y", "arn:aws:iam::123456789012:user/x@y"),
        (
            "arn:aws:secretsmanager:eu-west-1:1:secret:a?token=x",
            "arn:aws:secretsmanager:eu-west-1:1:secret:a?token=***",
        ),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("sent bearer abc.def to", "sent bearer *** to"),
        ("Basic dXNlcjpwYXNz, basic questions", "Basic ***, basic questions"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
        ("eyJhbGciOi.eyJzdWIi.sig", "***"),
        ("data eyJhIjoxfQ== and eyJ0b2tlbiI6IngifQ==", "data eyJhIjoxfQ== and ***"),
        ("a -----BEGIN RSA KEY-----\nMII\n-----END RSA KEY----- b", "a *** b"),
        ("-----BEGIN KEY-----\nMII", "***"),
        ("Cookie: a -----BEGIN KEY-----\nMII\n-----END KEY----- b", "Cookie: *** b"),
        ("postgres://ada:pa:ss@db:5432/x", "postgres://***@db:5432/x"),
        ("redis://:p/s@db/0 http://a:80/b@c", "redis://***@db/0 http://a:80/b@c"),
        ("", ""),
        ("nothing here", "nothing here"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn what_a_secret_name_stands_before_is_hidden_however_it_is_written() {
    for (text, expected) in [
        ("a=1&password=hunter2&b=2", "a=1&password=***&b=2"),
        ("Server=db;Password=a=b;Timeout=3", "Server=db;Password=***;Timeout=3"),
        (r#"of {"password": "correct \" horse", "a": 1}"#, r#"of {"password": "***", "a": 1}"#),
        (r#""{\"password\":\"hunter2\",\"a\":1}""#, r#""{\"password\":\"***\",\"a\":1}""#),
        ("{'token': 'x', 'a': 1}", "{'token': '***', 'a': 1}"),
        (r#"Login { password: Some("hunter2"), a: 1 }"#, "Login { password: ***, a: 1 }"),
        (r#"token: Secret { inner: "x" } b"#, "token: *** b"),
        ("api key => x, the secret is: y", "api key => ***, the secret is: ***"),
        ("<Password>hunter2</Password> a>b", "<Password>***</Password> a>b"),
        ("Cookie: a=b; c=d\nAccept: x", "Cookie: ***\nAccept: x"),
        ("password: None, token=null", "password: None, token=null"),
        ("InvalidTokenException: no good", "InvalidTokenException: no good"),
        ("shop::token::parse: bad", "shop::token::parse: bad"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}
