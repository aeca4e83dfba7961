//! The resource: what all spans of this process have in common
//! (<https://opentelemetry.io/docs/specs/semconv/resource/faas/>).

use std::ffi::OsStr;
use std::path::Path;

use opentelemetry_proto::tonic::resource::v1::Resource;

use super::attribute;
use crate::settings::Env;

/// Describes the function from the environment that Lambda gives every runtime.
pub(crate) fn resource(env: &Env<'_>) -> Resource {
    let mut attributes = vec![
        attribute("telemetry.sdk.language", "rust"),
        attribute("telemetry.sdk.name", "throughline"),
        attribute("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    let mut add = |key: &str, value: Option<String>| {
        attributes.extend(value.filter(|value| !value.is_empty()).map(|value| attribute(key, value)));
    };
    let function = env("AWS_LAMBDA_FUNCTION_NAME");
    add("service.name", env("OTEL_SERVICE_NAME").or_else(|| function.clone()).or_else(|| Some(unknown())));
    add("cloud.provider", function.as_ref().map(|_| "aws".to_owned()));
    add("cloud.platform", function.as_ref().map(|_| "aws_lambda".to_owned()));
    add("cloud.region", env("AWS_REGION"));
    add("faas.name", function);
    add("faas.version", env("AWS_LAMBDA_FUNCTION_VERSION"));
    add("faas.instance", env("AWS_LAMBDA_LOG_STREAM_NAME"));
    // The environment gives MiB, the convention wants bytes.
    let memory = env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|mib| mib.parse::<i64>().ok());
    attributes.extend(memory.map(|mib| attribute("faas.max_memory", mib.saturating_mul(1024 * 1024))));
    Resource { attributes, ..Resource::default() }
}

/// What the specification calls a service that nobody named.
fn unknown() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_name).map(OsStr::to_string_lossy);
    name.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"))
}
