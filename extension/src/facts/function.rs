//! Which function this is, as Lambda's environment tells it to everybody in the sandbox.

use std::collections::HashMap;

/// A function; what is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionInfo {
    /// `OTEL_SERVICE_NAME`, or the function's name.
    pub service: String,
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub name: String,
    /// `AWS_LAMBDA_FUNCTION_VERSION`.
    pub version: String,
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_LAMBDA_LOG_STREAM_NAME`: one for each sandbox.
    pub instance: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in bytes.
    pub memory: Option<i64>,
}

// === impl FunctionInfo ===

impl FunctionInfo {
    /// Reads the environment.
    pub fn of(env: &HashMap<String, String>) -> Self {
        let value = |name: &str| env.get(name).cloned().unwrap_or_default();
        let name = value("AWS_LAMBDA_FUNCTION_NAME");
        let service = Some(value("OTEL_SERVICE_NAME")).filter(|service| !service.is_empty());
        let memory = value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").parse::<i64>().ok();
        Self {
            service: service.unwrap_or_else(|| name.clone()),
            name,
            version: value("AWS_LAMBDA_FUNCTION_VERSION"),
            region: value("AWS_REGION"),
            instance: value("AWS_LAMBDA_LOG_STREAM_NAME"),
            memory: memory.map(|mib| mib.saturating_mul(1024 * 1024)),
        }
    }
}
