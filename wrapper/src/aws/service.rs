//! What is particular to a service: one implementation each. A service whose feature is off has none: its calls
//! get a span and the X-Ray header alone.

use std::fmt::Debug;

use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output, OutputOrError};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::call::Call;
use crate::span::SpanKind;

/// The calls of one service. Every hook has a default: a service writes those that say something of its own.
pub(super) trait Service: Debug + Sync {
    /// The SDK's name for it.
    fn name(&self) -> &'static str;

    /// Whether the caller made the request idempotent by a token of its own.
    fn is_idempotent(&self, _input: &Input) -> bool {
        false
    }

    /// The name of the queue, topic, bus or stream that messages are sent to.
    fn destination<'a>(&self, _input: &'a Input) -> Option<&'a str> {
        None
    }

    /// The kind of an operation's span.
    fn kind(&self, _operation: &str) -> SpanKind {
        SpanKind::Client
    }

    /// Describes the call on its span and writes the context into what is sent.
    fn inject(&self, input: &mut Input, call: &mut Call, cfg: &ConfigBag);

    /// Writes the context into the headers of a request that is about to be signed, once for each attempt.
    fn sign(&self, _headers: &mut Headers, _call: &mut Call) {}

    /// Records what the answer says, such as the ids that AWS gave.
    fn finish(&self, _output: &Output, _call: &mut Call) {}

    /// Takes what we injected out of what was read, whoever wrote it and wherever it is read.
    fn strip(&self, _result: &mut OutputOrError) {}

    /// The error's code and message, where its type is known.
    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata>;
}

/// The services whose feature is on.
static SERVICES: &[&dyn Service] = &[
    #[cfg(feature = "sqs")]
    &super::sqs::Sqs,
    #[cfg(feature = "sns")]
    &super::sns::Sns,
    #[cfg(feature = "kinesis")]
    &super::kinesis::Kinesis,
    #[cfg(feature = "dynamodb")]
    &super::dynamodb::DynamoDb,
    #[cfg(feature = "eventbridge")]
    &super::eventbridge::EventBridge,
    #[cfg(feature = "lambda")]
    &super::lambda::Lambda,
    #[cfg(feature = "sfn")]
    &super::sfn::StepFunctions,
    #[cfg(feature = "firehose")]
    &super::firehose::Firehose,
    #[cfg(feature = "s3")]
    &super::s3::S3,
];

/// The service of a call.
pub(super) fn of(metadata: Option<&Metadata>) -> Option<&'static dyn Service> {
    let name = metadata?.service();
    SERVICES.iter().copied().find(|service| service.name() == name)
}

/// Whether the caller made the request idempotent: asked before the SDK says which service it is for.
pub(super) fn is_idempotent(input: &Input) -> bool {
    SERVICES.iter().any(|service| service.is_idempotent(input))
}

/// The metadata of an error that is one of the given types.
// A build without any service has no use for it.
#[cfg_attr(not(feature = "full"), allow(unused_macros, unused_imports))]
macro_rules! metadata_of {
    ($error:expr, $($type:ty),+ $(,)?) => {{
        use aws_smithy_types::error::metadata::ProvideErrorMetadata;
        None$(.or_else(|| $error.downcast_ref::<$type>().map(ProvideErrorMetadata::meta)))+
    }};
}

// A build without any service has no use for it.
#[cfg_attr(not(feature = "full"), allow(unused_macros, unused_imports))]
pub(super) use metadata_of;
