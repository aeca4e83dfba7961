//! What reading the context of a large event costs, by the shape of the event.
//!
//! `cargo run --release -p throughline-benches --bin reading` prints the median of 51 runs each (`--json`: a line of JSON each). One shape, read
//! once, is what to count instructions of:
//!
//! ```sh
//! valgrind --tool=callgrind --toggle-collect='reading::begin*' target/release/reading sqs
//! ```
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use throughline::internals::{self, Begun};

/// The largest event of a synchronous invocation
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const SIZE: usize = 6 * 1024 * 1024;
const RUNS: usize = 51;

/// Makes an event.
type Shape = fn() -> String;

fn main() {
    let shapes: [(&str, Shape); 9] = [
        ("sqs", sqs_small),
        ("sqs-one-trace", sqs_one_trace),
        ("sqs-bodies", sqs_bodies),
        ("kinesis", kinesis),
        ("kinesis-plain", kinesis_plain),
        ("dynamodb", dynamodb),
        ("invoke", invoke),
        ("invoke-wide", invoke_wide),
        ("string", string),
    ];
    let argument = std::env::args_os().nth(1);
    let as_json = argument.as_deref() == Some(OsStr::new("--json"));
    let only = argument.filter(|_| !as_json);
    for (name, shape) in shapes {
        let event = Bytes::from(shape());
        match &only {
            Some(only) if only == name => drop(begin(&event)),
            Some(_) => {}
            None => {
                let (read, begun) = (millis(|| internals::read(&event)), millis(|| begin(&event)));
                if as_json {
                    let figures = serde_json::json!({ "shape": name, "bytes": event.len(), "read_ms": read, "begin_ms": begun });
                    println!("{figures}");
                    continue;
                }
                let found = internals::read(&event);
                println!(
                    "{name:<14} {:>6.2} MB {read:>6.2} ms to read {begun:>6.2} ms to begin, {} of {} records with a sender",
                    event.len() as f64 / 1e6,
                    found.senders,
                    found.records
                );
            }
        }
    }
}

/// What is measured: all that happens before the handler is called.
#[inline(never)]
fn begin(event: &Bytes) -> Begun {
    internals::begin(event)
}

/// The median time of `run`; what it gives is dropped outside of it.
fn millis<T>(run: impl Fn() -> T) -> f64 {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let given = run();
            let took = start.elapsed();
            drop(given);
            took
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2].as_secs_f64() * 1e3
}

/// `record` again and again up to the size of an event.
fn records(record: impl Fn(usize) -> String) -> String {
    let mut event = String::from("{\"Records\":[");
    for n in 0.. {
        let record = record(n);
        if event.len() + record.len() + 3 > SIZE {
            break;
        }
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(event, "{comma}{record}");
    }
    event + "]}"
}

fn traceparent(n: usize) -> String {
    format!("00-4bf92f3577b34da6a3ce{n:012x}-00f067aa{n:08x}-01")
}

fn sqs(n: usize, traceparent: &str, body: &str) -> String {
    format!(
        r#"{{"messageId":"059f36b4-87a3-44ab-83d2-{n:012}","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a","body":{body},"attributes":{{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183","SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1545082649185"}},"messageAttributes":{{"traceparent":{{"stringValue":"{traceparent}","stringListValues":[],"binaryListValues":[],"dataType":"String"}},"baggage":{{"stringValue":"correlation.id=c-{n:08},user.id=u-{n:06}","stringListValues":[],"binaryListValues":[],"dataType":"String"}}}},"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:my-queue","awsRegion":"us-east-2"}}"#
    )
}

/// 6,000 messages and more, each of its own trace.
fn sqs_small() -> String {
    records(|n| sqs(n, &traceparent(n + 1), r#""{\"order\":1}""#))
}

/// The same of one trace, so that their baggage is compared.
fn sqs_one_trace() -> String {
    records(|n| sqs(n, &traceparent(1), r#""{\"order\":1}""#))
}

/// Ten messages with bodies of JSON, every quote escaped.
fn sqs_bodies() -> String {
    let item = r#"{\"sku\":\"a-1\",\"quantity\":2,\"tags\":[\"x\",\"y\"]},"#;
    let body = format!(r#""[{}null]""#, item.repeat((SIZE / 10 - 1_200) / item.len()));
    records(|n| sqs(n, &traceparent(n + 1), &body))
}

fn kinesis_record(n: usize, data: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let data = BASE64_STANDARD.encode(data);
    format!(
        r#"{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"p-{n}","sequenceNumber":"{n:056}","data":"{data}","approximateArrivalTimestamp":1545084650.987}},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:{n:056}","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}}"#
    )
}

/// Records of our own senders: the member is read, and cut out of each.
fn kinesis() -> String {
    records(|n| {
        let traceparent = traceparent(n + 1);
        let carrier = format!(
            r#"{{"traceparent":"{traceparent}","baggage":"correlation.id=c-{n:08},user.id=u-{n:06}"}}"#
        );
        kinesis_record(n, &format!(r#"{{"order":{n},"_throughline":{carrier}}}"#))
    })
}

/// Records of others.
fn kinesis_plain() -> String {
    let rest = "x".repeat(150);
    records(|n| kinesis_record(n, &format!(r#"{{"order":{n},"more":"{rest}"}}"#)))
}

/// Changes of items that our own writers made: the attribute is read, and cut out of each image.
fn dynamodb() -> String {
    records(|n| {
        let traceparent = traceparent(n + 1);
        let baggage = format!("correlation.id=c-{n:08},user.id=u-{n:06}");
        let ours = format!(
            r#"{{"M":{{"traceparent":{{"S":"{traceparent}"}},"baggage":{{"S":"{baggage}"}},"at":{{"N":"1545084650000"}}}}}}"#
        );
        format!(
            r#"{{"eventID":"{n:032x}","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-2","dynamodb":{{"ApproximateCreationDateTime":1545084650,"Keys":{{"id":{{"S":"o-{n:08}"}}}},"NewImage":{{"id":{{"S":"o-{n:08}"}},"total":{{"N":"12"}},"_throughline":{ours}}},"SequenceNumber":"{n:021}","SizeBytes":112,"StreamViewType":"NEW_AND_OLD_IMAGES"}},"eventSourceARN":"arn:aws:dynamodb:us-east-2:123456789012:table/orders/stream/2018-12-17T00:00:00.000"}}"#
        )
    })
}

/// A direct invoke of many small members, deep inside.
fn invoke() -> String {
    let item = r#"{"sku":"a-1","n":2,"ok":true,"tags":["x","y"],"at":{"x":1,"y":-2.5}},"#;
    let items = item.repeat((SIZE - 200) / item.len());
    format!(r#"{{"items":[{items}null],"traceparent":"{}"}}"#, traceparent(1))
}

/// The same with all members at the top, where each name is looked at.
fn invoke_wide() -> String {
    let mut event = String::from("{");
    for n in 0.. {
        if event.len() > SIZE - 200 {
            break;
        }
        let _ = write!(event, r#""k{n}":{n},"#);
    }
    event + &format!(r#""traceparent":"{}"}}"#, traceparent(1))
}

fn string() -> String {
    format!(r#"{{"traceparent":"{}","text":"{}"}}"#, traceparent(1), "x".repeat(SIZE - 100))
}
