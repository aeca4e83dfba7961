//! What a sandbox is made of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::output::Output;

/// The account that local ARNs name.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region that local ARNs name.
pub const REGION: &str = "us-east-1";

/// A function, its extension, and how Lambda would be configured to run them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SandboxConfig {
    /// The function's name.
    pub function_name: String,
    /// The function's executable.
    pub function_binary: PathBuf,
    /// The extension's executable; it must register under its file name, as in Lambda.
    pub extension_binary: Option<PathBuf>,
    /// The function's configured environment: both processes get it, on top of Lambda's own variables.
    pub env: Vec<(String, String)>,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// The memory size that the environment and the telemetry name, in MB.
    pub memory_mb: u32,
    /// Whether a function that has more than that is killed.
    pub enforce_memory: bool,
    /// Whether both processes are stopped (SIGSTOP) between invocations.
    pub freeze: bool,
    /// How many invocations run at once; `None` but on a managed instance.
    pub concurrency: Option<u32>,
    /// Where the processes' lines go.
    pub output: Output,
}

impl SandboxConfig {
    /// A function without an extension, frozen between invocations, 30 s, 256 MB.
    pub fn new(function_name: impl Into<String>, function_binary: impl Into<PathBuf>) -> Self {
        Self {
            function_name: function_name.into(),
            function_binary: function_binary.into(),
            extension_binary: None,
            env: Vec::new(),
            timeout: Duration::from_secs(30),
            memory_mb: 256,
            enforce_memory: false,
            freeze: true,
            concurrency: None,
            output: Output::default(),
        }
    }

    /// With this extension beside the function.
    pub fn extension(mut self, binary: impl Into<PathBuf>) -> Self {
        self.extension_binary = Some(binary.into());
        self
    }

    /// With one more variable in the environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With this time-out.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With so much memory (in MB), and a SIGKILL for the function if it has more. The resident memory of its process
    /// counts, not that of the extension.
    pub fn memory_limit(mut self, mb: u32) -> Self {
        self.memory_mb = mb;
        self.enforce_memory = true;
        self
    }

    /// Frozen between invocations, or not.
    pub fn freeze(mut self, freeze: bool) -> Self {
        self.freeze = freeze;
        self
    }

    /// On a Lambda Managed Instance, which runs so many invocations at once, never freezes and enforces no time-out
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html>).
    pub fn managed_instance(mut self, concurrency: u32) -> Self {
        self.concurrency = Some(concurrency);
        self.freeze(false)
    }

    /// With the processes' lines going to `output`.
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// The ARN of the function.
    pub fn function_arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}", self.function_name)
    }

    /// The record of a log line: its members, if the function is configured to log in JSON and the line is an object.
    pub(crate) fn log_record(&self, line: &str) -> Value {
        let json = self.env.iter().any(|(name, value)| name == "AWS_LAMBDA_LOG_FORMAT" && value == "JSON");
        let object = json.then(|| serde_json::from_str(line).ok().filter(Value::is_object)).flatten();
        object.unwrap_or_else(|| line.into())
    }

    /// The value of `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub(crate) fn initialization_type(&self) -> &'static str {
        if self.concurrency.is_some() { "lambda-managed-instances" } else { "on-demand" }
    }

    /// The name under which the extension has to register.
    pub(crate) fn extension_name(&self) -> Option<String> {
        let binary: &Path = self.extension_binary.as_deref()?;
        Some(binary.file_name()?.to_string_lossy().into_owned())
    }

    /// Lambda's own variables, then the configured ones.
    pub(crate) fn environment(&self, runtime_api: &str, log_stream: &str) -> Vec<(String, String)> {
        let memory = self.memory_mb.to_string();
        let log_group = format!("/aws/lambda/{}", self.function_name);
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
        [
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", &self.function_name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", self.initialization_type()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
            ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_rust"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("_HANDLER", "bootstrap"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("TZ", ":UTC"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", &path),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain(self.concurrency.map(|n| ("AWS_LAMBDA_MAX_CONCURRENCY".to_owned(), n.to_string())))
        .chain(self.env.iter().cloned())
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_line_is_an_object_where_the_function_logs_json() {
        let text = SandboxConfig::new("f", "/f");
        let json = text.clone().env("AWS_LAMBDA_LOG_FORMAT", "JSON");
        let line = r#"{"message":"paid"}"#;
        assert_eq!(json.log_record(line), json!({ "message": "paid" }));
        for line in ["paid", "7", "[1]", r#"{"half"#] {
            assert_eq!(json.log_record(line), json!(line));
        }
        assert_eq!(text.log_record(line), json!(line));
    }
}
