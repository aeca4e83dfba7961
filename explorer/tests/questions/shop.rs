//! A little shop in a store in a file: orders through a queue, of which one fails for a user, and one of somebody who
//! writes escapes into every name.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

const DAY: u64 = 24 * 3_600_000;
/// What a terminal would obey.
pub(crate) const ESCAPE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}";

pub(crate) fn throughline(arguments: &[&str]) -> Output {
    throughline_in(120, arguments)
}

/// In a terminal of so many columns.
fn throughline_in(columns: usize, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.env_remove("THROUGHLINE_STORE_TABLE").env("COLUMNS", columns.to_string());
    // A `throughline dev` that somebody runs here is not asked.
    command.env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"));
    command.args(arguments).output().unwrap()
}

/// A store in a folder of its own.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) errors: String,
}

impl Shop {
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn new() -> Self {
        let shop = Self::empty();
        let requests = [
            order(1, "u-1042", Some("550 sender unverified"), "9f3c2e1"),
            order(2, "u-0007", None, "4d01b77"),
        ];
        let answer = shop.import("orders.jsonl", &requests);
        assert_eq!(answer.code, 0, "{} {}", answer.text, answer.errors);
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn import(&self, name: &str, requests: &[Value]) -> Answer {
        let path = self.path(name);
        let lines: Vec<String> = requests.iter().map(Value::to_string).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        self.ask(&["import", path.to_str().unwrap()])
    }

    /// Asks it of the noon of the orders.
    pub(crate) fn ask_then(&self, arguments: &[&str]) -> Answer {
        let words = then(arguments);
        self.ask(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Asks this store. Paths and dates of the answer are made the same everywhere.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Answer {
        self.ask_in(120, arguments)
    }

    /// The same in a terminal of so many columns.
    pub(crate) fn ask_in(&self, columns: usize, arguments: &[&str]) -> Answer {
        let store = self.path("shop.db");
        let mut arguments = arguments.to_vec();
        arguments.extend(["--store", store.to_str().unwrap()]);
        let output = throughline_in(columns, &arguments);
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap().replace(store.to_str().unwrap(), "shop.db");
            let (_, date) = yesterday();
            text.replace(&date, "2026-11-20").replace(&date[5..], "11-20")
        };
        Answer { code: output.status.code().unwrap(), text: text(output.stdout), errors: text(output.stderr) }
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.ask_then(&[arguments, &["--json"]].concat());
        serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {}", answer.text))
    }
}

/// Noon of yesterday in milliseconds, and its date: never of today, and found for days.
pub(crate) fn yesterday() -> (u64, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let noon = (now / DAY - 1) * DAY + DAY / 2;
    // `Fri, 20 Nov 2026 12:00:00 GMT`.
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(noon));
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == &date[8..11]).unwrap() + 1;
    (noon, format!("{}-{month:02}-{}", &date[12..16], &date[5..7]))
}

/// The words that ask of that noon.
pub(crate) fn then(arguments: &[&str]) -> Vec<String> {
    let (_, date) = yesterday();
    let mut words: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    if !matches!(arguments.first(), Some(&"trace" | &"find" | &"export" | &"store")) {
        // Words that are said may name a time of that day: `T14:00`.
        let of_day = |word: String| if word.starts_with('T') { format!("{date}{word}") } else { word };
        words = words.into_iter().map(of_day).collect();
        for (word, time) in [("--since", "11:59"), ("--until", "12:30")] {
            if !arguments.contains(&word) {
                words.extend([word.to_owned(), format!("{date}T{time}")]);
            }
        }
    }
    words
}

pub(crate) fn trace(order: u64) -> String {
    format!("{order:032x}")
}

/// An order of a user: the API sends a message, and a mail is sent.
pub(crate) fn order(number: u64, user: &str, error: Option<&str>, build: &str) -> Value {
    let correlation = format!("c-{number}");
    let common = [
        ("user.id", user),
        ("account.id", "acme"),
        ("account.plan", "enterprise"),
        ("correlation.id", &correlation),
        ("throughline.entry", "http POST /orders"),
    ];
    let request = |name: &str| format!("{name}-{number}");
    let (api, mail) = (request("api"), request("mail"));
    let message = format!("sqs:m-{number}");
    let spans_of_api = [
        span(
            number,
            1,
            None,
            "POST /orders",
            2,
            (0, 40),
            &[
                ("faas.invocation_id", &api),
                ("throughline.source", "http POST /orders"),
                ("faas.coldstart", "true"),
            ],
            &common,
        ),
        span(
            number,
            2,
            Some(1),
            "send email",
            4,
            (10, 20),
            &[
                ("messaging.system", "aws_sqs"),
                ("messaging.destination.name", "email"),
                ("throughline.join.out", &message),
                ("throughline.injected", "attributes"),
            ],
            &[],
        ),
    ];
    let mut mailing = span(
        number,
        3,
        Some(2),
        "email-sender",
        5,
        (1220, 1350),
        &[
            ("faas.invocation_id", &mail),
            ("throughline.source", "sqs email"),
            ("throughline.queue_time_ms", "1200"),
            ("throughline.join.in", &message),
            ("throughline.build_id", build),
        ],
        &common,
    );
    if let Some(error) = error {
        mailing["status"] = json!({ "code": 2, "message": error });
        mailing["attributes"].as_array_mut().unwrap().push(text("error.type", "SmtpRejected"));
    }
    json!({ "resourceSpans": [of("checkout-api", &spans_of_api), of("email-sender", &[mailing])] })
}

/// What the sender of an order's mail logged: two lines that name its request, and one that names its span alone.
pub(crate) fn log_lines(number: u64) -> Value {
    let record = |after: u64, level: &str, message: &str, attributes: &[Value], span: Option<u64>| {
        json!({
            "timeUnixNano": ((yesterday().0 + number * 10_000 + after) * 1_000_000).to_string(),
            "severityText": level,
            "body": { "stringValue": message },
            "attributes": attributes,
            "traceId": trace(number),
            "spanId": span.map(|id| format!("{:016x}", number * 100 + id)).unwrap_or_default(),
        })
    };
    let request = [text("faas.invocation_id", &format!("mail-{number}"))];
    let records = [
        record(1225, "INFO", "sending a mail", &request, None),
        record(1340, "ERROR", "the server said 550", &request, None),
        record(1330, "DEBUG", "> MAIL FROM", &[text("smtp.host", "mx1")], Some(3)),
    ];
    let resource = json!({ "attributes": [text("faas.name", "email-sender")] });
    json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "logRecords": records }] }] })
}

/// The same where every text is an attack.
pub(crate) fn hostile(number: u64) -> Value {
    let text = order(number, "USER", Some("MESSAGE"), "BUILD").to_string();
    let mut request: Value = serde_json::from_str(&text).unwrap();
    poison(&mut request);
    request
}

/// All texts that are no numbers, ids or times.
fn poison(value: &mut Value) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(key, value)| {
            if !["key", "traceId", "spanId", "parentSpanId"].contains(&key.as_str()) && !key.ends_with("Nano")
            {
                poison(value);
            }
        }),
        Value::Array(values) => values.iter_mut().for_each(poison),
        Value::String(text) if text.parse::<f64>().is_err() && text != "true" => {
            *text = format!("{text}{ESCAPE}")
        }
        _ => {}
    }
}

pub(crate) fn of(function: &str, spans: &[Value]) -> Value {
    json!({ "resource": { "attributes": [text("faas.name", function)] }, "scopeSpans": [{ "spans": spans }] })
}

#[allow(clippy::too_many_arguments, reason = "a table of spans reads better than builders do")]
pub(crate) fn span(
    order: u64,
    id: u64,
    parent: Option<u64>,
    name: &str,
    kind: u8,
    (from, to): (u64, u64),
    attributes: &[(&str, &str)],
    more: &[(&str, &str)],
) -> Value {
    let nanos = |millis: u64| ((yesterday().0 + order * 10_000 + millis) * 1_000_000).to_string();
    let attributes: Vec<Value> = attributes.iter().chain(more).map(|(key, value)| text(key, value)).collect();
    json!({
        "traceId": trace(order),
        "spanId": format!("{:016x}", order * 100 + id),
        "parentSpanId": parent.map(|parent| format!("{:016x}", order * 100 + parent)).unwrap_or_default(),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": nanos(from),
        "endTimeUnixNano": nanos(to),
        "attributes": attributes,
    })
}

pub(crate) fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
