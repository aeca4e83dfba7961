//! Secrets go in wherever a program has them, and come out nowhere: not in a span, a log line or the flight recorder.

use std::fmt::{self, Display};
use std::panic::AssertUnwindSafe;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::FutureExt as _;
use lambda_runtime::{Error, FunctionResponse, LambdaEvent, LambdaInvocation};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use tracing_subscriber::layer::SubscriberExt as _;

use super::InvocationLayer;
use super::tests::{NoStream, invocation};
use crate::subscriber::installed::Installed;
use crate::testing::log::Listener;
use crate::testing::{Extension, subscribe, text};
use crate::{context, recorder, sandbox};

/// Texts that give a secret away by what stands round it.
const SIGNS: [&str; 18] = [
    "password={}",
    "login failed: password: {}, user: ada",
    r#"{"user":"ada","apiKey":"{}"}"#,
    r#"bad request {"a":[{"clientSecret": "{}"}]}"#,
    r#"Login { user: "ada", token: Some("{}") }"#,
    "Authorization: Bearer {}",
    "sent with bearer {} to",
    "Cookie: session={}; b={}",
    "postgres://ada:{}@db.example:5432/shop",
    "see https://api.example/v1?a=1&access_token={}#x",
    "Server=db;Uid=ada;Pwd={};Timeout=3",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "the token eyJhbGciOiJIUzI1NiJ9.{}.c2ln is over",
    "mail to {}@example.com bounced",
    "<Login><Password>{}</Password></Login>",
    "private key => '{}'",
    // What the program itself names.
    "nick_name={}",
    r#"ada {"nickName": "{}"}"#,
];

/// How a text may be spelled within another.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    Plain,
    /// A string of JSON in a member of JSON.
    Json,
    Base64,
    Percent,
}

fn spelled(text: &str, spellings: &[Spelling]) -> String {
    spellings.iter().fold(text.to_owned(), |text, spelling| match spelling {
        Spelling::Plain => text,
        Spelling::Json => json!({"a": 1, "inner": text}).to_string(),
        Spelling::Base64 => BASE64_STANDARD.encode(text),
        Spelling::Percent => utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string(),
    })
}

/// A secret, and texts that have it in them, one after another.
#[derive(Clone, Debug)]
struct Planted {
    secret: String,
    /// The values of fields and members, in any spelling.
    values: Vec<String>,
    /// What stands among other words, where Base64 is known only by what it begins with.
    words: Vec<String>,
}

/// In how many places of an invocation each stands at most.
const PLACES: usize = 16;

impl Planted {
    fn any() -> impl Strategy<Value = Self> {
        use Spelling::{Base64, Json, Percent, Plain};
        let texts = |spellings: &'static [Spelling]| {
            let spellings = prop::collection::vec(prop::sample::select(spellings), 0..3);
            prop::collection::vec((prop::sample::select(&SIGNS[..]), spellings), PLACES)
        };
        let values = texts(&[Plain, Json, Percent, Base64]);
        let words = texts(&[Plain, Json, Percent]);
        ("[A-Z]{6}[a-z]{6}[0-9]{6}", values, words).prop_map(|(secret, values, words)| {
            let texts = |texts: Vec<(&str, Vec<Spelling>)>| {
                texts.into_iter().map(|(sign, how)| spelled(&sign.replace("{}", &secret), &how)).collect()
            };
            Self { values: texts(values), words: texts(words), secret }
        })
    }

    fn value(&mut self) -> String {
        self.values.pop().unwrap()
    }

    fn word(&mut self) -> String {
        self.words.pop().unwrap()
    }

    /// Whether something gives it away, in letters or in Base64 wherever in a text that begins.
    fn is_in(&self, told: &[u8]) -> bool {
        let encoded = (0..3).map(|before| {
            let text = BASE64_STANDARD.encode([&b"\0\0\0"[..before], self.secret.as_bytes()].concat());
            text[4..20].to_owned()
        });
        encoded
            .chain([self.secret.clone()])
            .any(|secret| told.windows(secret.len()).any(|part| part == secret.as_bytes()))
    }
}

#[derive(Debug)]
struct Outer(String, Inner);

#[derive(Debug)]
struct Inner(String);

impl Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}

impl std::error::Error for Inner {}

/// How the handler ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Ok,
    Error,
    Report,
    Panic,
}

/// The event of a request, and the context that came with it from inside.
fn event(mut planted: Planted, is_http: bool) -> Value {
    let secret = planted.secret.clone();
    let baggage = format!(
        "user.id={},note={}",
        utf8_percent_encode(&format!("eyJhbGciOiJIUzI1NiJ9.{secret}.c2ln"), NON_ALPHANUMERIC),
        utf8_percent_encode(&planted.word(), NON_ALPHANUMERIC)
    );
    if !is_http {
        let traceparent = "00-00000000000000000000000000000007-0000000000000001-01";
        return json!({
            "_throughline": {"traceparent": traceparent, "baggage": baggage},
            "note": planted.value(), "data": planted.value(), "password": secret,
            "list": [[planted.value()], {"token": [secret]}],
        });
    }
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": format!("/reset/{}", planted.word()),
        "rawQueryString": format!("token={secret}"), "cookies": [format!("a={secret}")],
        "headers": {"authorization": secret, "user-agent": planted.value(), "x-note": planted.value(), "baggage": baggage},
        "requestContext": {"http": {
            "method": "POST", "path": format!("/reset/{}", planted.word()), "userAgent": planted.value(), "sourceIp": "1.2.3.4",
        }, "requestId": "r"},
        "body": planted.value(), "isBase64Encoded": false,
    })
}

async fn handle(mut planted: Planted, end: End) -> Result<FunctionResponse<Value, NoStream>, Error> {
    let secret = planted.secret.clone();
    let _ = context::set_user(&format!("Bearer {secret}"));
    let _ = context::set_account(&format!("password={secret}"), "free");
    let _ = context::set_baggage("note", &planted.value());
    let _ = context::set_flag("checkout", &planted.value());
    let span = tracing::info_span!(target: "shop", "charge", note = planted.value(), password = %secret, card = 4_111_111_111_111_111_u64);
    span.in_scope(|| {
        tracing::debug!(target: "shop", why = ?planted.word(), "looked at {}", planted.word());
        tracing::info!(target: "shop", note = %planted.value(), api_key = 7, "{}", planted.value());
        tracing::error!(target: "shop", error = %planted.value(), "{}", planted.value());
    });
    let _ = crate::observe(Err::<(), _>(Outer(planted.word(), Inner(planted.word()))));
    let _ = context::set_error("Declined", &planted.value());
    let told = planted.word();
    let client = service_fn(move |_: http::Request<()>| {
        let told = told.clone();
        async move { Err::<http::Response<()>, _>(Outer(told.clone(), Inner(told))) }
    });
    let request =
        http::Request::get(format!("https://ada:{secret}@api.example/{secret}@example.com?k={secret}"));
    let _ = crate::http::layer().layer(client).oneshot(request.body(()).unwrap()).await;
    let echo = service_fn(|request: http::Request<String>| async {
        Ok::<_, Error>(http::Response::new(request.into_body()))
    });
    let request = http::Request::post("https://api.example/").body(planted.value());
    let _ = crate::http::layer().layer(echo).oneshot(request.unwrap()).await;
    let error = Outer(planted.word(), Inner(planted.word()));
    match end {
        End::Ok => {
            let answer = json!({"token": secret, "note": planted.value(), "body": planted.value()});
            Ok(FunctionResponse::BufferedResponse(answer))
        }
        End::Error => Err(error.into()),
        End::Report => Err(anyhow::Error::new(error).context(planted.word()).into()),
        End::Panic => panic!("{}", planted.word()),
    }
}

/// All that is told of an invocation, as bytes.
async fn told(planted: &Planted, end: End, is_http: bool) -> Vec<(&'static str, Vec<u8>)> {
    let extension = Extension::start().await;
    let env = [
        ("THROUGHLINE_CAPTURE", "always"),
        ("THROUGHLINE_CAPTURE_CALLS", "always"),
        ("THROUGHLINE_MASK", "nickname"),
        ("THROUGHLINE_LOG_BAGGAGE", "note"),
        ("THROUGHLINE_DEBUG", "true"),
        ("THROUGHLINE_TRUST_INBOUND", "baggage"),
    ];
    let tracer = extension.tracer(&env);
    let lines = Listener::new();
    let installed = Installed::from_env(&crate::testing::env(&env));
    let _subscribed = subscribe(tracing_subscriber::registry().with(installed));

    let event = event(planted.clone(), is_http).to_string();
    let in_handler = planted.clone();
    let handler = move |_: LambdaEvent<Value>| handle(in_handler.clone(), end);
    let handler = super::handler::<_, Value, _>(service_fn(handler));
    // As the runtime does, a panic is caught between our two layers, and the response posted.
    let platform = service_fn(move |event: LambdaInvocation| {
        let mut handler = handler.clone();
        async move {
            let payload = serde_json::from_slice(&event.body)?;
            let result = handler.call(LambdaEvent::new(payload, event.context));
            if let Ok(Ok(FunctionResponse::BufferedResponse(answer))) =
                AssertUnwindSafe(result).catch_unwind().await
            {
                serde_json::to_value(&answer)?;
            }
            Ok::<_, Error>(())
        }
    });
    let invoked = invocation("r-1", event.as_bytes());
    InvocationLayer::with(tracer).layer(platform).oneshot(invoked).await.unwrap();

    let spans = extension.spans();
    assert!(spans.len() >= 4, "{:?}", extension.names());
    let is_captured = |key| spans.iter().any(|span| text(span, key).is_some());
    assert!(is_captured("throughline.event") && is_captured("throughline.request"), "{spans:?}");
    let folder = sandbox::folder(extension.runtime_api());
    let mut told: Vec<_> = spans.iter().map(|span| ("span", span.encode_to_vec())).collect();
    let files = recorder::testing::files(&folder);
    assert!(files.iter().any(|file| file.len() > 1_000), "nothing was written down");
    told.extend(files.into_iter().map(|file| ("recorder", file)));
    let lines = lines.lines();
    assert!(lines.len() >= 3, "{lines:?}");
    told.extend(lines.into_iter().map(|line| ("line", line.into_bytes())));
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_secret_is_told_anywhere(
        planted in Planted::any(),
        end in prop::sample::select(vec![End::Ok, End::Error, End::Report, End::Panic]),
        is_http in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (what, told) in runtime.block_on(told(&planted, end, is_http)) {
            prop_assert!(!planted.is_in(&told), "a {what}: {}", String::from_utf8_lossy(&told));
        }
    }
}
