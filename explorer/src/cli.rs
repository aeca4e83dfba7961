//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::ask::Question;
use crate::connection::{self, Place, TABLE};
use crate::{ask, demo, dev, keep, recorder, replay};

/// Follows one transaction through every queue, topic, stream and table of a serverless application.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, about)]
pub struct Cli {
    /// What to do; without, it is told what can be done.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// What can be done, and where the store is that would be asked; `dev`: that of the `throughline dev` that runs.
    #[must_use]
    pub fn overview(variable: impl Fn(&str) -> Option<String>, dev: Option<PathBuf>) -> String {
        let help = Self::command().render_help();
        let store = match connection::Options::default().place(variable).or(dev.map(Place::File)) {
            Some(Place::Table(table)) => {
                format!("Store: table {}, as {TABLE} says\nnext: throughline traces", ask::harmless(&table))
            }
            Some(Place::File(file)) => {
                format!(
                    "Store: that of throughline dev, {}\nnext: throughline traces",
                    ask::harmless(&file.to_string_lossy())
                )
            }
            None => format!(
                "Store: none. Set {TABLE}, or give --table TABLE or --store FILE\n\
                 next: throughline dev, or throughline import --store traces.db spans.json"
            ),
        };
        format!("{help}\n{store}\n")
    }
}

/// What the questions to the store have in common.
const ANSWERS: &str =
    "The store is --store FILE, --table TABLE, the table that THROUGHLINE_STORE_TABLE names, in the region \
and with the credentials of the AWS SDK's variables, or that of the throughline dev that runs.

With --json: one object. found is the answer, next the next useful command, requests what it cost; at_least says that there is \
more than could be read, damaged what could not be. Of figures beside others, counted has both times. Times are milliseconds \
since 1970, durations microseconds, memory bytes; those of spans are nanoseconds.

Exit status: 0 if something was found, 1 if not, 2 for a wrong command line or if the store can't be read.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find the transaction that an id names
    ///
    /// The id of a trace, of a request, of a message (with or without `sqs:` before it), a correlation id, or a user's.
    #[command(after_help = ANSWERS)]
    Find(ask::FindOptions),

    /// List the newest transactions
    ///
    /// A transaction is listed if one of its runs is all that the filters ask for. With --function it is told by that
    /// function's run, and durations are those of the run; else they are those of the whole. By ids and users it
    /// is found at once; failures of no certain function are those of the 40 that fail most, and the others are named; by
    /// other filters the newest 500 are looked at, and where that was not enough the answer says so.
    #[command(after_help = ANSWERS)]
    Traces(ask::TracesOptions),

    /// Tell what happened in one transaction
    ///
    /// Takes the id of a trace, or whatever `throughline find` finds. What is dotted has no context of its sender's: it links
    /// to it, or has an id in common. Of runs that failed all is told that they say, with their last log lines.
    ///
    /// It is held against the last good transactions of the same entry point and path, of the 24 hours before it. One that
    /// failed is told with others that wrote the same items of DynamoDB within a quarter of an hour, as far as the spans
    /// tell their keys.
    #[command(after_help = ANSWERS)]
    Trace(ask::TraceOptions),

    /// Tell the log lines of a transaction, or of the newest runs that are asked for
    ///
    /// In the order of time, each with its function and the end of its trace's id. Without an ID those of the
    /// newest 100 runs of --function, or of what other filters ask for.
    #[command(after_help = ANSWERS)]
    Logs(ask::LogsOptions),

    /// Tell what the failures of a function break, for whom, since when and why
    ///
    /// Filters narrow the failures. How many runs there were in all is counted by function, entry point and build: with
    /// other filters it is not told.
    #[command(after_help = ANSWERS)]
    Impact(ask::ImpactOptions),

    /// List what fails, those errors together that say the same
    #[command(after_help = ANSWERS)]
    Errors(ask::ErrorsOptions),

    /// List the functions: runs, failures, durations, cold starts, memory
    ///
    /// Takes the filters --function, --entry, --build and --failed: it reads what was counted by the hour.
    #[command(after_help = ANSWERS)]
    Functions(ask::FunctionsOptions),

    /// Tell who calls whom, third parties included
    ///
    /// Takes the filter --function: it reads what was counted by the hour.
    #[command(after_help = ANSWERS)]
    Map(ask::MapOptions),

    /// Write a transaction as it came in, as OTLP JSON
    ///
    /// All runs that have to do with it, as they were told; of a batch those of other senders too. With --logs a second
    /// line has the log lines of its runs.
    #[command(after_help = ANSWERS)]
    Export(keep::ExportOptions),

    /// Read OTLP JSON into the store, whoever wrote it
    ///
    /// Spans and log lines; metrics are passed over.
    /// Takes what `throughline replay` takes: files of OTLP JSON, logs that hold such lines, exports of CloudWatch.
    /// Read in again, a file changes nothing. What is older than 14 days is listed under now. With --store the
    /// file is made if it is not there.
    ///
    /// Exit status: 0 if all could be read and there was something, 1 if not, 2 for a wrong command line or if the
    /// store can't be written.
    Import(keep::ImportOptions),

    /// Make the store, or tell of it
    #[command(subcommand, after_help = ANSWERS)]
    Store(keep::StoreAction),

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

    /// Take what OpenTelemetry applications on this machine send, into a store that can be asked meanwhile
    ///
    /// Listens for OTLP over HTTP on 127.0.0.1:4318, where SDKs send to if they are told nothing else: protobuf or JSON,
    /// plain or gzipped; traces and log lines are kept, metrics are taken and forgotten. Prints a line for each
    /// transaction that begins. The questions (traces, trace, impact, …) read from it while it runs, without any option.
    /// With --store the file stays, and the questions name it; else all is gone with this command.
    ///
    /// It takes nothing from a web page: requests to another name than localhost or 127.0.0.1, with an Origin, or of
    /// another content type are refused.
    ///
    /// Exit status: 0 after Ctrl-C, 1 if it can't listen or make the store, 2 for a wrong command line.
    #[command(after_help = "Examples:
  throughline dev                         and in another terminal: throughline traces
  throughline dev --store traces.db       what was taken stays; it is added to
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf ./app")]
    Dev(dev::Options),

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

impl Command {
    /// The question to the store that it is, if it is one.
    #[must_use]
    pub fn question(&self) -> Option<Question<'_>> {
        Some(match self {
            Self::Find(options) => Question::Find(options),
            Self::Traces(options) => Question::Traces(options),
            Self::Trace(options) => Question::Trace(options),
            Self::Logs(options) => Question::Logs(options),
            Self::Impact(options) => Question::Impact(options),
            Self::Errors(options) => Question::Errors(options),
            Self::Functions(options) => Question::Functions(options),
            Self::Map(options) => Question::Map(options),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_arguments_one_learns_what_there_is() {
        let told = Cli::overview(|_| None, None);
        assert!(
            told.contains("impact") && told.contains("Store: none") && told.contains("--store FILE"),
            "{told}"
        );
        let told = Cli::overview(|name| (name == TABLE).then(|| "traces".to_owned()), None);
        assert!(
            told.contains("Store: table traces") && told.ends_with("next: throughline traces\n"),
            "{told}"
        );
        let told = Cli::overview(|_| None, Some("/run/dev.db".into()));
        assert!(told.contains("Store: that of throughline dev, /run/dev.db"), "{told}");
    }
}
