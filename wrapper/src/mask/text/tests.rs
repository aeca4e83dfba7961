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
        ("a sk_live_abc123DEF, (rk_test_abc123DEF)", "a ***, (***)"),
        (r"\nsk_test_abc123DEF\n", r"\n***\n"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a gho_16C7e42F292c6912E771", "*** ***"),
        ("/github_pat_11ABCDEF_xyz/glpat-a_b-c_d-1234", "/***/***"),
        ("xoxb-123-456-abc, xoxs-123-456-abc", "***, ***"),
        ("key=AIzaSyA-1234567890_bcdefghijklmnopqrstuv", "key=***"),
        ("sk-proj-abc-123_DEF sk-ant-api03-abc dop_v1_0123456789abcdef", "*** *** ***"),
        ("npm_0123456789abcdefghijABCDEFGHIJ012345", "***"),
        (
            "disk_live_abcdefgh npm_config_cache ghp_x sk_live_ task-proj-abcdefgh my_sk AIzaBC sk-x",
            "disk_live_abcdefgh npm_config_cache ghp_x sk_live_ task-proj-abcdefgh my_sk AIzaBC sk-x",
        ),
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
        ("password:\n  pw a", "password:\n  *** a"),
        (r"{ yaml: 'password:\n  pw a'", r"{ yaml: 'password:*** a'"),
        (r#""{ text: \"password:\\n\\tpw\\nb\", a }""#, r#""{ text: \"password:***", a }""#),
        (r#"password:\n "pw" a"#, r#"password:\n "***" a"#),
        (r"password=\network a", "password=*** a"),
        ("password: >\n  pw a\n\n  b\nc: d", "password: ***\nc: d"),
        (r"password: |-\n  pw a\n  b\nc: d", r"password: ***\nc: d"),
        ("pass=a&sig=b&pin=c&otp=d&ssn=e", "pass=***&sig=***&pin=***&otp=***&ssn=***"),
        ("the pin: 1234, mfa code: 5, Creds { auth: 6 }", "the pin: ***, mfa code: ***, Creds { auth: *** }"),
        ("auth: token abc", "auth: ***"),
        ("passenger: a, author=b, pinned: c, oauth: d", "passenger: a, author=b, pinned: c, oauth: d"),
        ("password: None, token=null", "password: None, token=null"),
        ("InvalidTokenException: no good", "InvalidTokenException: no good"),
        ("shop::token::parse: bad", "shop::token::parse: bad"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}
