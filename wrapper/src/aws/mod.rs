//! AWS SDK clients: one interceptor for all services.
//!
//! [`interceptor`] makes a span of every call that is made inside an invocation, and writes the context into
//! what is sent, so that the next function goes on with the same transaction:
//!
//! | feature | calls | where the context goes |
//! |---|---|---|
//! | `sqs` | `SendMessage`, `SendMessageBatch` | message attributes, system attribute `AWSTraceHeader` |
//! | `sns` | `Publish`, `PublishBatch` to topics | message attributes |
//! | `kinesis` | `PutRecord`, `PutRecords` | member `_throughline` of data that is a JSON object |
//! | `dynamodb` | `PutItem`, `UpdateItem`, `TransactWriteItems`, `BatchWriteItem` | attribute `_throughline` of items of the tables in `THROUGHLINE_DYNAMODB_TABLES` |
//! | `eventbridge` | `PutEvents` | member `_throughline` of `detail`; `TraceHeader` |
//! | `lambda` | `Invoke`, `InvokeWithResponseStream`, synchronous | `custom` of `ClientContext` |
//! | `lambda` | `Invoke`, asynchronous | member `_throughline` of a payload that is a JSON object |
//! | `sfn` | `StartExecution`, `StartSyncExecution` | `traceHeader`; never the input |
//! | `firehose` | `PutRecord`, `PutRecordBatch` | member `_throughline` of records that are JSON objects, in the streams in `THROUGHLINE_FIREHOSE_STREAMS` |
//! | `s3` | `PutObject`, `CreateMultipartUpload`, `CopyObject` with the caller's metadata | user metadata `traceparent` of objects in the buckets in `THROUGHLINE_S3_BUCKETS` |
//!
//! The three settings are names with commas between them, or `*` for all; unset is none.
//!
//! Each message of a batch carries a context of its own. Calls of other services, or of services whose feature
//! is off, get a span and the X-Ray header alone; where one of the calls above goes out so, one log line says which feature
//! it needs. Reads from DynamoDB don't show `_throughline`. A presigned request
//! is for somebody else to send: nothing is added to it.
//!
//! A context that the caller put into a message stays. Where there is no room (ten attributes, the size of a
//! message), parts are left out: of attributes and of `ClientContext` first the baggage, then `tracestate`, then all.
//! Two attributes of the span say what was done:
//!
//! | `throughline.injected` | the context is in |
//! |---|---|
//! | `attributes` | attributes of the message or item, `custom` of a `ClientContext`, metadata of the object |
//! | `body` | member `_throughline` |
//! | `header` | the X-Ray header that the service hands on, alone |
//! | `none` | nothing |
//!
//! | `throughline.inject.skipped` | why it, or a part, is not there |
//! |---|---|
//! | `attributes-full` | the message would have more than ten attributes |
//! | `too-large` | the message, or the whole request, would be |
//! | `not-json-object` | the body is none, or the `ClientContext` isn't of the shape that `lambda_runtime` reads |
//! | `idempotent` | the caller's token or name stands for this very request |
//! | `presigned` | somebody else sends the request |
//! | `caller-set` | there is a context of the caller's |
//! | `not-enabled` | the setting doesn't name the table, stream or bucket; a copy keeps its metadata; an SMS or a push notification |
//! | `own-stream` | the invocation reads the stream of the table that is written to |
//! | `no-expression` | an update in DynamoDB's old form, which can't be mixed with expressions |
//! | `feature-off` | the service's feature of this crate is off |
//!
//! Ids that AWS gives back are in `throughline.join.out`, and join where no context could travel; DynamoDB's is a hash
//! of table and key, which a put has once the process made another call for its table that told the key's names.
//! `throughline.throttled` counts the attempts that a service refused because there were too many. An error of a
//! function whose answer streams comes after the call, so it isn't on the call's span.
//!
//! With `THROUGHLINE_CAPTURE_CALLS=on-error` or `always` the span tells the beginning of what was sent, our context in it,
//! and of the last answer, without their secrets: `throughline.request`, `throughline.response`. The bodies of objects that
//! are streamed are left alone.
//!
//! A message that was under 256 KiB or 1 MiB, the limits of most queues and topics, is under it afterwards. Another
//! `MaximumMessageSize` of a queue, from 1 KiB on, the interceptor doesn't know: a message just under it becomes
//! too large, and SQS refuses it. Send to such a queue with as much room as the attributes may take
//! (72 bytes of `traceparent`, up to 1 KiB of baggage, the `tracestate` that came in), or with a client that has
//! no interceptor.
//!
//! How large an item is that an update changes only its table knows: one that comes within the context of 400 KB
//! (about 200 bytes, and up to 1 KiB of baggage) is refused. Tables with such items are not for
//! `THROUGHLINE_DYNAMODB_TABLES`.
//!
//! An item that carries the context changes with every write, and each change is a record of the table's stream; of a
//! write that changes nothing DynamoDB makes none
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>). So a function's writes to the
//! table whose stream it was called by are left as they are. What reads the stream in another way (through EventBridge
//! Pipes, a Kinesis stream, a second table that is written back from) the interceptor can't tell: a circle of functions
//! that ends when a write changes nothing would go on for ever. Tables of such circles are not for
//! `THROUGHLINE_DYNAMODB_TABLES` either.
//!
//! In a [dry run](crate::dry_run) it refuses what would change something. Else it never fails a call: in a task of a function that is outside its invocation, with
//! `THROUGHLINE_ENABLED=false` and whenever something goes wrong in it, the call goes out as the caller made it.
//!
//! Outside Lambda it works too: in a [`transaction`](crate::transaction), and a call outside of one begins its own.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "sqs")] {
//! use aws_sdk_sqs::config::{BehaviorVersion, Builder, Intercept as _};
//!
//! // In a function: Builder::from(&aws_config::load_defaults(BehaviorVersion::latest()).await)
//! let config = Builder::new()
//!     .behavior_version(BehaviorVersion::latest())
//!     .interceptor(throughline::aws::interceptor())
//!     .build();
//! assert!(config.interceptors().any(|known| known.name() == "Throughline"));
//! # }
//! ```

#[cfg(any(feature = "sqs", feature = "sns"))]
mod attributes;
// One service uses a part of it, all of them use all.
#[cfg_attr(not(feature = "full"), allow(dead_code))]
mod call;
mod dry_run;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(all(feature = "dynamodb", feature = "internals"))]
pub(crate) use dynamodb::with_assignment;
mod endpoint;
#[cfg(feature = "eventbridge")]
mod eventbridge;
mod failure;
mod features;
#[cfg(feature = "firehose")]
mod firehose;
mod interceptor;
#[cfg(any(feature = "kinesis", feature = "eventbridge", feature = "lambda", feature = "firehose"))]
mod json;
#[cfg(feature = "kinesis")]
mod kinesis;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg_attr(not(feature = "full"), allow(dead_code))]
mod limits;
#[cfg_attr(not(feature = "full"), allow(dead_code))]
mod outcome;
#[cfg(all(test, feature = "sqs"))]
mod outside_tests;
#[cfg(feature = "s3")]
mod s3;
mod service;
#[cfg(feature = "sfn")]
mod sfn;
#[cfg(feature = "sns")]
mod sns;
#[cfg(feature = "sqs")]
mod sqs;
#[cfg(test)]
mod testing;

pub use interceptor::{Interceptor, interceptor};

#[cfg(all(test, feature = "full"))]
mod table_tests;
#[cfg(all(test, feature = "sqs"))]
mod tests;
