//! The command line.

use clap::{Parser, Subcommand};

use crate::{demo, recorder, replay};

/// Follows one transaction through every queue, topic, stream and table of a serverless application.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the demo application here, and follow its orders through every hop
    ///
    /// Starts the functions of examples/shop as real processes, each with the extension beside it,
    /// under a Lambda host and against embedded SQS, SNS, Kinesis and DynamoDB; sends orders through
    /// them and prints each transaction as a tree. Needs no account, no Docker and no network.
    ///
    /// Exit status: 0 if every transaction is whole (each hop that it reached has its spans, and no
    /// span lacks its parent), 1 if not or if something could not be started, 2 for a wrong command
    /// line, 130 after Ctrl-C.
    #[command(after_help = "Examples:
  throughline demo                       three orders
  throughline demo --orders 50           a crowd: batches mix orders, traces do not
  throughline demo --fail email-sender   what a failing function looks like
  throughline demo --orders 5 --debug u-0007 --logs   what one user's order does, line by line
  throughline demo --dry-runs 1          a dry run: what is stubbed in it, and that nobody outside saw it
  throughline demo --json                one object for programs")]
    Demo(demo::Options),

    /// Tell what an invocation left behind whose process was killed
    ///
    /// A function that runs with throughline writes down its invocation while it runs, in a file below
    /// /tmp/.throughline-UID/: what it was doing, the beginning of its event, its last debug lines. Once the
    /// invocation has ended the file tells nothing of it any more: it is marked as over. Its bytes are not wiped, but
    /// lie there, masked as they were written, until later invocations overwrite them or the file is removed. If the
    /// process is killed before (memory, time-out, abort) the file still tells, and the extension sends what it says to
    /// the backend. Where there is no extension, or to look at it now, this command reads it. It changes nothing, and
    /// may read the file of a function that still runs.
    ///
    /// Exit status: 0 if at least one invocation was told and every FILE could be read, 1 if not, 2 for a wrong
    /// command line.
    #[command(after_help = "Examples:
  throughline recorder                   all of this user on this machine
  throughline recorder recorder-00c0ffee00c0ffee
  docker cp CONTAINER:/tmp/.throughline-0 left && throughline recorder left
                                         out of a container
  throughline recorder --json FILE | curl -H 'content-type: application/json' -d @- http://localhost:4318/v1/traces
                                         into any OTLP backend")]
    Recorder(recorder::Options),

    /// Send what was written into a log because no backend took it
    ///
    /// What the extension cannot deliver before its sandbox ends it writes to stdout as lines of OTLP JSON, as does a
    /// function without an extension. This command finds them in logs and sends them: in lines of stdout, in what
    /// `aws logs tail`, `filter-log-events`, `get-log-events` and `get-query-results` print, in CloudWatch's exports
    /// to S3 (gzip, folders), in results of Logs Insights, and where the Telemetry API or a subscription wrapped them.
    /// Other lines are passed over; what is torn is told with file and line. It reads gigabytes in bounded memory.
    ///
    /// A span is sent once, however often it is in the input; the last million spans are remembered. A second run
    /// sends again. Busy and unreachable backends are asked again; where that has no end, or a backend takes
    /// nothing at all (as without its key), it stops and says so.
    ///
    /// The endpoint is --endpoint, else what OpenTelemetry's variables say (OTEL_EXPORTER_OTLP_ENDPOINT and
    /// OTEL_EXPORTER_OTLP_HEADERS, and those of each signal), else http://localhost:4318. Headers of the variables are
    /// not sent to an --endpoint.
    ///
    /// Exit status: 0 if all that was found was sent (or there was nothing), 1 if something was refused, not sent,
    /// torn or could not be read, 2 for a wrong command line.
    #[command(after_help = "Examples:
  aws logs tail /aws/lambda/orders --since 2h | throughline replay -
  aws logs filter-log-events --log-group-name /aws/lambda/orders --filter-pattern resourceSpans > events.json
  throughline replay --dry-run events.json        what is in it
  throughline replay --endpoint https://api.example.com --header 'x-api-key: KEY' events.json
  throughline replay exported/                    a folder of .gz files from S3
  throughline replay --json - < app.log           one object for programs")]
    Replay(replay::Options),
}
