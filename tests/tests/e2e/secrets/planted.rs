//! Texts with a secret in them, one for each place, in any spelling; and what gives one away.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// The places in which something is told that is given to the function, see its binary `telling`.
pub(super) const PLACES: [&str; 22] = [
    "header",
    "agent",
    "baggage",
    "body",
    "user",
    "account",
    "set_baggage",
    "line",
    "line_field",
    "debug_line",
    "debug_field",
    "error_line",
    "message",
    "refused_message",
    "request",
    "refused_request",
    "span_field",
    "observed",
    "answer",
    "error",
    "cause",
    "panic",
];

/// What stands round a secret and makes it known as one.
const SIGNS: [&str; 4] = [
    "password={}",
    "Authorization: Bearer {}",
    r#"{"user":"ada","apiKey":"{}"}"#,
    "postgres://ada:{}@db.example:5432/shop",
];

/// How a text is spelled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Spelling {
    Plain,
    /// In JSON.
    Json,
    /// JSON in Base64, which is known as such among other words too.
    Base64,
    Percent,
}

pub(super) const SPELLINGS: [Spelling; 4] =
    [Spelling::Plain, Spelling::Json, Spelling::Base64, Spelling::Percent];

/// The texts of one invocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planted {
    pub(super) spelling: Spelling,
    /// Which invocation it is.
    pub(super) number: usize,
}

impl Planted {
    fn index(place: &str) -> usize {
        PLACES.iter().position(|known| *known == place).unwrap()
    }

    /// What nobody may see.
    pub(super) fn secret(self, place: &str) -> String {
        format!("Zq{:02}Yk{:02}WvXuTrSp", self.number, Self::index(place))
    }

    /// What stands beside it, and may be seen.
    pub(super) fn marker(self, place: &str) -> String {
        format!("seen{:02}x{:02}y", self.number, Self::index(place))
    }

    pub(super) fn text(self, place: &str) -> String {
        let sign = SIGNS[Self::index(place) % SIGNS.len()].replace("{}", &self.secret(place));
        let plain = [&self.marker(place), " ", &sign].concat();
        let json = || json!({ "is": self.marker(place), "says": sign }).to_string();
        match self.spelling {
            Spelling::Plain => plain,
            Spelling::Json => json(),
            Spelling::Base64 => BASE64_STANDARD.encode(json()),
            Spelling::Percent => percent_encoded(&plain),
        }
    }

    /// A request to a function URL.
    pub(super) fn event(self, ends: &str) -> Value {
        let texts = PLACES.iter().map(|place| ((*place).to_owned(), self.text(place).into()));
        let secrets: serde_json::Map<_, Value> = texts.collect();
        let body = json!({ "do": ends, "note": self.text("body"), "secrets": secrets });
        let baggage = format!("inner={}", percent_encoded(&self.text("baggage")));
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/orders",
            "rawQueryString": format!("token={}", self.secret("header")),
            "cookies": [format!("session={}", self.secret("header"))],
            "headers": {
                "authorization": format!("Bearer {}", self.secret("header")),
                "baggage": baggage,
                "user-agent": self.text("agent"),
                "x-note": self.text("header"),
            },
            "requestContext": {
                "http": { "method": "POST", "path": "/orders", "sourceIp": "192.0.2.1", "userAgent": self.text("agent") },
                "requestId": "r-1",
            },
            "body": body.to_string(),
            "isBase64Encoded": false,
        })
    }

    /// The places whose secret is in `told`, in letters or in Base64, wherever in a text that began.
    pub(super) fn given_away(self, told: &[u8]) -> Vec<&'static str> {
        let is_in = |place: &&str| {
            let secret = self.secret(place);
            let encoded = (0..3).map(|before| {
                let text = BASE64_STANDARD.encode([&b"\0\0\0"[..before], secret.as_bytes()].concat());
                text[4..text.len() - 4].to_owned()
            });
            encoded.chain([secret.clone()]).any(|secret| contains(told, &secret))
        };
        PLACES.into_iter().filter(is_in).collect()
    }
}

pub(super) fn contains(told: &[u8], text: &str) -> bool {
    memchr::memmem::find(told, text.as_bytes()).is_some()
}

fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}
