//! A process that ended before its time, in the words that Lambda has for it.
//!
//! The words are those of AWS's own emulator
//! (<https://github.com/aws/aws-lambda-runtime-interface-emulator>, `internal/lambda/rapid/handlers.go` and
//! `fatalerror.go`). It kills nothing for memory; what Lambda says then is known from reports in CloudWatch
//! (`Status: error Error Type: Runtime.OutOfMemory`), while the invoker is told of a killed process as of any other.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::invocation::FunctionError;

/// Which process ended, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    pub process: Which,
    pub status: ExitStatus,
    /// The host killed it: it had more memory than the function is configured with.
    pub out_of_memory: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Function,
    Extension,
}

impl Exit {
    /// `errorType` in the telemetry.
    pub(crate) fn error_type(&self) -> &'static str {
        if self.out_of_memory { "Runtime.OutOfMemory" } else { self.kind() }
    }

    /// What the invoker is told.
    pub(crate) fn error(&self, request_id: Option<&str>) -> FunctionError {
        let request = request_id.map(|id| format!("RequestId: {id} ")).unwrap_or_default();
        let said = match self.process {
            Which::Function if self.status.success() => {
                "Runtime exited without providing a reason".to_owned()
            }
            Which::Function => format!("Runtime exited with error: {}", told(self.status)),
            Which::Extension if self.status.success() => "exit code 0".to_owned(),
            Which::Extension => told(self.status),
        };
        FunctionError::new(self.kind(), format!("{request}Error: {said}"))
    }

    fn kind(&self) -> &'static str {
        match self.process {
            Which::Function => "Runtime.ExitError",
            Which::Extension => "Extension.Crash",
        }
    }
}

/// As Go's `os.ProcessState` writes it, in which Lambda is written.
fn told(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("exit status {}", status.code().unwrap_or_default());
    };
    let name = match signal {
        libc::SIGABRT => "aborted",
        libc::SIGBUS => "bus error",
        libc::SIGILL => "illegal instruction",
        libc::SIGKILL => "killed",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGTERM => "terminated",
        _ => return format!("signal: signal {signal}"),
    };
    let dumped = if status.core_dumped() { " (core dumped)" } else { "" };
    format!("signal: {name}{dumped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_told_as_lambda_tells_it() {
        let exit =
            |process, raw, out_of_memory| Exit { process, status: ExitStatus::from_raw(raw), out_of_memory };
        for (exit, error_type, told) in [
            (
                exit(Which::Function, 3 << 8, false),
                "Runtime.ExitError",
                "Runtime.ExitError: RequestId: r Error: Runtime exited with error: exit status 3",
            ),
            (
                exit(Which::Function, 0, false),
                "Runtime.ExitError",
                "Runtime.ExitError: RequestId: r Error: Runtime exited without providing a reason",
            ),
            (
                exit(Which::Function, libc::SIGKILL, true),
                "Runtime.OutOfMemory",
                "Runtime.ExitError: RequestId: r Error: Runtime exited with error: signal: killed",
            ),
            (
                exit(Which::Function, libc::SIGABRT | 0x80, false),
                "Runtime.ExitError",
                "Runtime.ExitError: RequestId: r Error: Runtime exited with error: signal: aborted (core dumped)",
            ),
            (
                exit(Which::Extension, 1 << 8, false),
                "Extension.Crash",
                "Extension.Crash: RequestId: r Error: exit status 1",
            ),
        ] {
            assert_eq!((exit.error_type(), &*exit.error(Some("r")).to_string()), (error_type, told));
        }
    }
}
