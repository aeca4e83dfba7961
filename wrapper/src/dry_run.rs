//! Dry runs, or tracer bullets: a transaction that goes all the ways of a real one and changes nothing.
//!
//! [`context::set_dry_run`](crate::context::set_dry_run) marks a transaction, after its caller was authorized; the mark is
//! never taken from the public edge. It travels with its messages, so that every function that they lead to is reached. In
//! all of them [`is_dry_run`](crate::context::is_dry_run) is true, and clients that this crate instruments refuse what would
//! be real:
//!
//! | call | in a dry run |
//! |---|---|
//! | messages: SQS `SendMessage`, SNS `Publish` to topics, Kinesis `PutRecord`, EventBridge `PutEvents`, Lambda `Invoke`, and the batches of them | go out, with the mark; where the mark doesn't fit into the message, or its feature of this crate is off, they are refused |
//! | reads: `Get…`, `List…`, `Describe…`, `Head…`, `BatchGet…`, `TransactGet…`, `Query`, `Scan`; HTTP `GET`, `HEAD`, `OPTIONS` | go out |
//! | all others: DynamoDB, S3 and Firehose writes, SMS, what we know nothing of; every other HTTP method | are refused |
//!
//! So are the starts of Step Functions: the mark can't travel there, and the states call services themselves. So are an SQS
//! `ReceiveMessage` and `DeleteMessage`, because the queue's messages are real ones; and presigning of what would be refused,
//! because somebody else would send it. To a topic with subscribers that are people (mail, SMS) or third parties (HTTP)
//! messages go out as to any other: put it behind a stub, or refuse `sns:Publish`.
//!
//! A refused AWS call fails with [`Refused`] in its chain of sources, and so does a request of `reqwest`. The `tower`
//! layer answers with status 424, because the error type there is the client's own.
//!
//! # Opting in
//!
//! Only a function that takes part ([`accept`], or `THROUGHLINE_DRY_RUN=accept`) is given such transactions. Any other refuses
//! them, rather than doing them for real:
//!
//! - An invocation fails with `Throughline.DryRunRefused` before the handler is called. Asynchronous ones are tried again
//!   by Lambda, as after every failure, and then go where failures go.
//! - Records of a batch that Lambda polls (SQS, Kinesis, DynamoDB streams, Kafka, MQ) are taken out of the event: the handler
//!   sees the others and no sign of them, and to Lambda they are done. A failure would bring them again until they are dead
//!   letters, and hold up the real ones behind them in a stream. One log line and a span for each record say so. If nothing
//!   is left, the handler is not called.
//!
//! A batch may mix dry runs with real transactions: a function that opts in processes it with [`batch`](crate::batch),
//! where each record has its own answer to `is_dry_run`. Outside of a record's closure, `is_dry_run` is true as soon as one
//! record is marked; and if others are not, writes *and messages* are refused there, stubbed or not, because nobody knows whose
//! they are. The batch then fails, and no real record is lost.
//!
//! | variable | meaning |
//! |---|---|
//! | `THROUGHLINE_DRY_RUN` | `refuse` (the default), `accept`, or `always`: every transaction that comes through is marked |
//! | `THROUGHLINE_DRY_RUN_ALLOW` | what is harmless, and goes out: `dynamodb:UpdateItem,cloudwatch:*,https://sandbox.psp.example/v1` |
//! | `THROUGHLINE_DRY_RUN_REFUSE` | what is refused though it would go out; it counts more than the other |
//!
//! Services are called as the SDK calls them, without spaces and in any case; an address stands for all below it.
//!
//! # Stubs
//!
//! Where a function needs an answer to go on, it gives one itself, in `main`. A stub answers in dry runs only, and nothing is
//! sent:
//!
//! ```
//! # #[cfg(feature = "sqs")] {
//! use aws_sdk_sqs::Client;
//! use aws_sdk_sqs::operation::purge_queue::PurgeQueueOutput;
//! use throughline::dry_run;
//!
//! dry_run::accept();
//! // Its type is checked: an operation has no answer but its own.
//! dry_run::stub_aws!(Client::purge_queue, |_input| PurgeQueueOutput::builder().build());
//! dry_run::stub_http(|method, uri| {
//!     let charges = method == "POST" && uri.host() == Some("psp.example") && uri.path() == "/charges";
//!     charges.then(|| http::Response::new(r#"{"charge_id": "ch_dry"}"#))
//! });
//! # }
//! ```
//!
//! Stubs answer reads and messages too. Of several, the first that has an answer counts.
//!
//! # What it can't see
//!
//! Clients without our interceptor, layer or middleware send what they are told; ask `is_dry_run` before them. So does a task
//! that was spawned without [`carry`](crate::context::carry), which is of no transaction; and whatever `THROUGHLINE_ENABLED=false`
//! switches off, refusing included. [`InvocationLayer`](crate::InvocationLayer) without [`handler`](crate::handler) refuses
//! records, but no whole invocation.
//!
//! # On the spans
//!
//! `throughline.dry_run` is true on the spans of an invocation or record that is one and of its calls;
//! `throughline.dry_run.refused` and `throughline.dry_run.stubbed` on those that were. A refused call is no failure of the
//! call's span, and not counted as a swallowed error.

mod gate;
mod rules;
mod stubs;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "aws")]
pub use crate::__stub_aws as stub_aws;
pub(crate) use gate::{Refusal, mark, refusal, turn_away};
pub(crate) use rules::DryRun;
#[cfg(feature = "aws")]
pub(crate) use stubs::for_operation;
pub(crate) use stubs::for_request;
pub use stubs::stub_http;
#[cfg(feature = "aws")]
#[doc(hidden)]
pub use stubs::stub_operation;

/// `error.type` of an invocation that is refused.
pub(crate) const REFUSED: &str = "Throughline.DryRunRefused";

static ACCEPTED: AtomicBool = AtomicBool::new(false);

/// Says that this program takes part in dry runs: it may be given transactions that must change nothing. Call it in `main`.
///
/// `THROUGHLINE_DRY_RUN=accept` says the same.
///
/// ```
/// throughline::dry_run::accept();
/// ```
pub fn accept() {
    ACCEPTED.store(true, Ordering::Relaxed);
}

fn is_accepted() -> bool {
    ACCEPTED.load(Ordering::Relaxed)
}

/// What the running code is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A dry run.
    DryRun,
    /// A batch of dry runs and others, outside of the scope of any of them.
    Mixed,
}

/// A call that was not made, because it is part of a dry run: in the chain of sources of an AWS SDK error, and in the
/// `Middleware` error of `reqwest-middleware`.
#[derive(Clone, Debug)]
pub struct Refused {
    what: String,
    why: Why,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It may change what is real.
    Writes,
    /// A message that the mark can't travel with.
    Unmarked,
    /// Nobody knows whether it is part of the dry run.
    Mixed,
    /// Somebody else would send it.
    Presigned,
    /// The program named it.
    Listed,
}

impl Refused {
    pub(crate) fn new(what: impl Into<String>, why: Why) -> Self {
        Self { what: what.into(), why }
    }

    #[cfg(test)]
    pub(crate) fn why(&self) -> Why {
        self.why
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const INSTEAD: &str = "stub it (throughline::dry_run), or name it in THROUGHLINE_DRY_RUN_ALLOW";
        let what = &self.what;
        match self.why {
            Why::Writes => write!(f, "{what} is refused in a dry run, it may change what is real: {INSTEAD}"),
            Why::Unmarked => write!(
                f,
                "{what} is refused in a dry run, because its mark can't travel with the message and whoever \
                 received it would act for real: {INSTEAD}"
            ),
            Why::Mixed => write!(
                f,
                "{what} is refused: some records of this batch are dry runs, and outside of a record's closure \
                 (throughline::batch) nobody knows whether this is part of one"
            ),
            Why::Presigned => write!(
                f,
                "presigning {what} is refused in a dry run: whoever is given the request would act for real"
            ),
            Why::Listed => {
                write!(f, "{what} is refused in a dry run, as THROUGHLINE_DRY_RUN_REFUSE has it: stub it")
            }
        }
    }
}

impl std::error::Error for Refused {}
