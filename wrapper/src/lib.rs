//! Throughline follows one transaction through every queue, topic, stream and table of a serverless application
//! on AWS Lambda.
//!
//! One line for the handler, one for a client:
//!
//! ```no_run
//! use lambda_runtime::{Error, LambdaEvent, service_fn};
//! use serde_json::Value;
//!
//! async fn handler(event: LambdaEvent<Value>) -> Result<(), Error> {
//!     tracing::info!(user = ?event.payload["user"], "hello");
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     throughline::run(service_fn(handler)).await // instead of lambda_runtime::run
//! }
//! ```
//!
//! - [`run`] reads the trace context and the baggage from the event, runs the handler inside them, and gives its
//!   spans to the extension after the response was posted: the client never waits for telemetry.
//! - `aws::interceptor` puts the context into the calls of AWS SDK clients (cargo features `sqs`, `sns`, `kinesis`,
//!   `dynamodb`, `eventbridge`, `lambda`, `sfn`, `firehose`, `s3`, or `full`).
//! - [`http::layer`] and `http::client` (cargo feature `reqwest`) do so for outgoing HTTP requests.
//! - [`batch`] processes the records of a batch, each in its own transaction, and makes the partial batch
//!   response.
//! - [`context`] asks for the correlation id, says who the user is, marks and flags the transaction, sets other baggage;
//!   [`layer`] takes the program's own `tracing` spans along.
//! - [`dry_run`]: transactions that go through the whole system and change nothing.
//! - [`observe`] notes an error that the code goes on to drop: what an invocation swallows before it returns `Ok`, failed
//!   calls and error lines among it, is counted on its span. Of a panic the span tells the place: a hook of ours runs
//!   before the program's own.
//!
//! Programs that build their `lambda_runtime::Runtime` themselves use [`handler`] and [`InvocationLayer`].
//!
//! Tasks that a handler spawns are told where they belong: `tokio::spawn(throughline::context::carry(future))`, and
//! `carry_fn` for closures on other threads.
//!
//! # Trust
//!
//! HTTP triggers and authorizers are the public edge: of what a client sends, trace and span ids are taken and
//! baggage is dropped, whether it says so in W3C's, Datadog's or DAZN's headers. `THROUGHLINE_TRUST_INBOUND` changes
//! that: with `none` the client's span is a link only, with `baggage` its baggage comes along, but for what begins
//! with `throughline.`, which only code inside says. Queues, topics, streams and direct invokes are inside and
//! trusted. A REST API *without* proxy integration looks like a direct invoke: a mapping template that passes a
//! client's whole body on hands that trust to the client, so let it pass a member instead, such as
//! `{"body": $input.json('$')}`. So does an IoT rule that passes on all that a device sent, and a function that
//! sends a client's document on as it came: what that says in our member is replaced, a `traceparent` of its own counts.
//!
//! # Outside Lambda
//!
//! A service that sends to queues which functions read takes part as well: AWS and HTTP clients and [`batch`] work there
//! as they do in a function. [`transaction`] names a piece of work, [`flush`] sends what is left before the program ends;
//! spans go to the OTLP endpoint of the environment, by a thread in the background.
//!
//! # Beside OpenTelemetry
//!
//! A program that makes spans with the `opentelemetry` crate (0.33) itself, or with `tracing-opentelemetry` (0.34), turns
//! on the feature `otel`. Then they and ours are one trace: while the handler or a record is polled, its span is the current
//! context's (remote) parent, with the transaction's baggage; calls made in a span of the program's are that span's
//! children, and baggage that was set with OpenTelemetry travels as well. The program exports its spans itself, to where
//! ours go. Of [`layer`] and the layer of `tracing-opentelemetry` install one, or each `tracing` span is recorded twice;
//! and leave out our own marker from the latter: `.with_filter(filter_fn(|span| span.target() != "throughline::scope"))`.
//!
//! All of the transaction's baggage is in that context, `user.id` too. A `BaggagePropagator` of the program's writes it into
//! every request that it injects into, whatever the host: `THROUGHLINE_BAGGAGE_HOSTS` holds for the clients of this crate
//! alone. A program that calls hosts of others installs the `TraceContextPropagator` and not that one.
//!
//! # Configuration
//!
//! Nothing needs to be set. A value that makes no sense is one log line, and the default. `docs/configuration.md` of the
//! repository has the extension's variables too, and says why each default is what it is.
//!
//! | variable | meaning |
//! |---|---|
//! | `THROUGHLINE_ENABLED` | `false`: nothing is read, traced or injected; see below |
//! | `THROUGHLINE_TRUST_INBOUND` | what public callers may bring along: `none`, `trace` (the default), `baggage` |
//! | `THROUGHLINE_RECORD_SENDER` | what the sender of a record of a batch is to its span: `parent` (the default) or `link` |
//! | `THROUGHLINE_BAGGAGE_HOSTS` | the hosts to which HTTP requests take baggage along: `api.internal,*.shop.example` |
//! | `THROUGHLINE_DYNAMODB_TABLES` | the tables whose items may carry the context to their stream: `orders,carts`, or `*` |
//! | `THROUGHLINE_FIREHOSE_STREAMS`, `THROUGHLINE_S3_BUCKETS` | the same, of what ends in a data lake |
//! | `THROUGHLINE_CAPTURE` | whether an invocation's event and answer are on its span: `off`, `on-error` (the default; the first 4 KiB), `always` (2 KiB, of what failed 4) |
//! | `THROUGHLINE_CAPTURE_CALLS` | whether the bodies of its AWS and HTTP calls are on their spans (`throughline.request`, `throughline.response`), as long: `off` (the default), `on-error`, `always`; see below |
//! | `THROUGHLINE_MASK` | what is hidden in them beside passwords, keys, tokens, cookies, the numbers of cards and the addresses of people: names of members, or parts of such, separated by commas |
//! | `THROUGHLINE_RECORDER` | `off`: no flight recorder, see below |
//! | `THROUGHLINE_MAX_HOPS` | how many functions a transaction may come through before it counts as a loop, which is logged and marked: `12`; `0`: any number |
//! | `THROUGHLINE_ON_LOOP` | what is done then: `log` (the default) or `refuse`: the handler is not called, and the invocation or the record fails |
//! | `THROUGHLINE_BUILD_ID` | which build runs, such as a commit: it is on every invocation span |
//! | `THROUGHLINE_DEBUG` | `true`: every transaction that comes through has that mark |
//! | `THROUGHLINE_DEBUG_WHEN` | whose transactions are debugged, any of: `user.id=u-1,account.plan=enterprise` |
//! | `THROUGHLINE_DEBUG_SAMPLE_RATE` | which share of the transactions that begin here is: `0` (the default) to `1` |
//! | `THROUGHLINE_DEBUG_LINES` | `false`: no DEBUG line is kept or written but those that the log level asks for |
//! | `THROUGHLINE_LOG_BAGGAGE` | members of the baggage that are on every log line beside `user.id` and `account.id`: `tenant,region` |
//! | `AWS_LAMBDA_LOG_FORMAT` | what log lines are: `JSON` (the default) or `Text` |
//! | `RUST_LOG`, else `AWS_LAMBDA_LOG_LEVEL` | what is logged: `shop=debug,warn`, or a level; `INFO` is the default |
//! | `THROUGHLINE_DRY_RUN` | what the function does with dry runs: `refuse` (the default), `accept`; `always`: every transaction that comes through is one; see [`dry_run`] |
//! | `THROUGHLINE_DRY_RUN_ALLOW`, `THROUGHLINE_DRY_RUN_REFUSE` | what goes out in a dry run, and what does not, beside what is known: `dynamodb:UpdateItem,https://sandbox.psp.example` |
//! | `THROUGHLINE_EXPORT_ENDPOINT`, `THROUGHLINE_EXPORT_HEADERS` | where spans go to without the extension, and with which headers |
//!
//! # Payloads
//!
//! Where a payload is missing, its span says why: `throughline.event.skipped`, with `request` or `response` in the place of
//! `event`. It is `off`; it is `not-text`; it is a `stream`, which only the program reads (the responses that `reqwest` and
//! `hyper` give, the objects of S3); or it is `secret`, as all is that KMS, SSM, STS, Secrets Manager and Cognito are sent and
//! send.
//!
//! What is hidden in payloads is hidden in errors, log lines and fields too. Not in what the program itself prints: the
//! message of a panic is on stderr as it is, by the hook of the standard library.
//!
//! # An invocation that is killed
//!
//! Spans leave after the response. So that a process that is killed, or that runs out of time, does not take them along, an
//! invocation writes them down under `/tmp` while it runs: when they begin and when they end, with the beginning of
//! the event without its secrets (unless `THROUGHLINE_CAPTURE=off`), as soon as the handler waits for something. It is at
//! most 1.1 MiB for each invocation under way: of more spans, those that are open and the newest of the others are kept, and
//! the invocation's says how many are missing (`throughline.recorder.full`, `throughline.dropped_spans`). What is left is
//! read by the extension, or by `throughline recorder FILE`. A `/tmp` that is full or can't be written to costs one log line.
//!
//! An invocation that still runs when a tenth of its time is left (at least 50 ms, at most 3 s) is told of while there is time: one
//! log line, and the event `throughline.deadline` on its span, with the errors that it has swallowed so far. Without the
//! extension, which reads what is left, what there is of it is sent then, the open span with `throughline.partial`. If it ends in time after
//! all, it is sent again as a whole, with the same ids: of two spans with one id the later one counts.
//!
//! # Debugging in production
//!
//! The program's `tracing::debug!` lines that the log level takes out are kept while an invocation runs, the last 64 of them
//! and 64 KiB. If it fails, panics or nears its deadline they are written, with the times at which they came; so are those of
//! a [`batch`] record that fails, and not its neighbours'. If it ends well they are dropped.
//!
//! Of a transaction that bears the debug mark they are written at once, in this function and in all that it leads to. The mark
//! is set by [`context::set_debug`], by a share of transactions, or by a condition such as `user.id=u-1`, which holds from
//! where [`context::set_user`] says so: a new question asked of production without shipping code. Such a line says
//! `"throughline.debug": true`. Where Lambda takes out the lines of lower levels itself, it claims that level and has
//! `DEBUG` in `severity_text`.
//!
//! So the values of `debug!` lines are formatted even where nobody reads them, which takes some two microseconds each: leave
//! to `trace!` what is said a thousand times, or set `THROUGHLINE_DEBUG_LINES=false`. Outside Lambda nothing is kept.
//!
//! # Without the extension
//!
//! Spans go to the endpoint of `OTEL_EXPORTER_OTLP_ENDPOINT` (or `THROUGHLINE_EXPORT_ENDPOINT`) if that is not loopback
//! — for `https` enable the feature `tls` —, else to stdout as OTLP JSON lines.
//!
//! Outside Lambda, where the crate's own log lines are on stderr, loopback is as good as any other, `stdout` as an endpoint
//! has the lines written, and without an endpoint spans are dropped: see [`transaction`].
//!
//! # What it never does
//!
//! It never panics, waits without bound in the function's process, or fails a call by an error of its own. What it adds to
//! a message has a size, though: by it a service may refuse a message just under a `MaximumMessageSize` below 256 KiB that
//! a queue was given, or an update of an item of nearly 400 KB in a table of `THROUGHLINE_DYNAMODB_TABLES`. What to
//! do about that is in the module `aws`.
//!
//! `THROUGHLINE_ENABLED=false` makes it a pass-through: calls go out and events come in as they are. So a handler sees the
//! member `_throughline` in what is sent by others that are not switched off: in the `detail` of an EventBridge event, the
//! data of a Kinesis record, the payload of an `Invoke`. Only from the items that a DynamoDB client with `aws::interceptor`
//! reads our attribute is still taken, because the table keeps it.

// A build without some features has parts that only those use; with all of them there is no dead code.
#![cfg_attr(not(all(feature = "batch", feature = "full")), allow(dead_code, unused_imports))]

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "batch")]
pub mod batch;
mod capture;
pub mod context;
mod deadline;
mod debug;
mod diagnostics;
pub mod dry_run;
mod fnv;
mod handover;
pub mod http;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod invocation;
mod logs;
mod loop_guard;
mod mask;
#[cfg(feature = "otel")]
mod otel;
mod outside;
mod panics;
mod propagation;
mod recorder;
mod runtime;
mod sandbox;
mod scope;
mod settings;
mod span;
mod subscriber;
mod swallowed;
#[cfg(test)]
mod testing;
mod tracer;
mod triggers;

pub use outside::{flush, transaction};
pub use runtime::{
    Handler, HandlerError, HandlerFuture, InvocationFuture, InvocationLayer, InvocationService,
    ObservedResponse, ObservedStream, handler, run, run_concurrent,
};
pub use subscriber::{TraceLayer, layer};
pub use swallowed::observe;
