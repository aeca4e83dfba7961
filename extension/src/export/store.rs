//! The trace store: what becomes of spans and log lines there is `throughline-store`'s; how requests reach its table is
//! ours, with what the other destinations have, for the AWS SDK is larger than all of the extension.

use super::Outcome;
use super::connector::Connector;
use super::credentials::{Keyring, Source};
use super::destination::Patience;
use crate::buffer::{Batch, BatchLimit};
use crate::endpoint::Endpoint;
use crate::otlp::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::time::{Duration, SystemTime};
use table::DynamoDb;
use throughline_store::{Error, Options, Report, Table as _, Writer, Written};
use tokio::time::{Instant, timeout_at};

mod table;

/// What is made into items at once: decoded it takes several times as much.
pub(super) const BATCH: BatchLimit = BatchLimit { bytes: 256 * 1024, entries: 100, items: 10_000 };
/// What DynamoDB says of a request that it will never take.
const FINAL: [&str; 4] = [
    "ValidationException",
    "SerializationException",
    "ItemCollectionSizeLimitExceededException",
    "RequestEntityTooLargeException",
];

/// What `THROUGHLINE_STORE_TABLE` and its fellows stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// The table's name, or its ARN.
    pub table: String,
    /// The region that it is in.
    pub region: String,
    /// Where credentials come from.
    pub source: Source,
    /// Where DynamoDB is.
    pub endpoint: Endpoint,
    /// What the sandbox is called: its log stream.
    pub sandbox: String,
    /// How long items stay.
    pub retention: Duration,
    /// The members of the baggage that invocations are found by.
    pub index: Vec<String>,
}

/// The backend.
#[derive(Debug)]
pub(super) struct TraceStore {
    settings: Store,
    keyring: Keyring,
    connector: Connector,
    /// Made at the first write.
    writer: Option<Writer<DynamoDb>>,
    /// Something was reported since the last write.
    reported: bool,
}

// === impl TraceStore ===

impl TraceStore {
    /// Connects to nothing yet.
    pub(super) fn new(settings: Store, connector: &Connector) -> Self {
        let keyring = Keyring::new(settings.source.clone());
        Self { settings, keyring, connector: connector.clone(), writer: None, reported: false }
    }

    /// Whether a request may have arrived although nobody said so; asked once.
    pub(super) fn take_unanswered(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.table().take_unanswered())
    }

    /// Writes a batch. What is written again is the same as before.
    pub(super) async fn send(&mut self, batch: &Batch, patience: Patience) -> Outcome {
        if batch.signal == Signal::Metrics {
            return Outcome::Unsupported;
        }
        let credentials = match self.keyring.credentials().await {
            Ok(credentials) => credentials,
            Err(why) => return Outcome::Failed { after: None, why },
        };
        let writer = self.writer.get_or_insert_with(|| writer(&self.settings, &self.connector));
        writer.table().open(credentials, patience.again);
        let written = write(writer, batch, patience).await;
        let unreachable = writer.table().close();
        match written {
            Ok(written) => {
                self.reported &= batch.signal != Signal::Traces;
                delivered(&written)
            }
            Err(error) if unreachable => Outcome::Unreachable(self.told(&error)),
            Err(error) => self.outcome(&error),
        }
    }

    /// What the platform told of invocations that are over is counted with what is written next.
    pub(super) fn report(&mut self, reports: &[Report]) {
        let now = SystemTime::now();
        for report in reports {
            let writer = self.writer.get_or_insert_with(|| writer(&self.settings, &self.connector));
            writer.report(report, now);
            self.reported = true;
        }
    }

    /// Nothing will follow: writes what was reported after the last write.
    pub(super) async fn settle(&mut self, until: Instant) -> Result<(), String> {
        let Some(writer) = self.writer.as_ref().filter(|_| self.reported) else { return Ok(()) };
        writer.table().open(self.keyring.credentials().await?, true);
        let written = timeout_at(until, writer.write_totals(until)).await;
        writer.table().close();
        self.reported = false;
        match written {
            Ok(written) => written.map(drop).map_err(|error| self.told(&error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Puts one item, which nothing reads and which soon expires: that tells the permission, the table's keys and its
    /// encryption at once, and a writer may ask nothing else.
    pub(super) async fn check(&mut self) -> Result<String, String> {
        let credentials = self.keyring.credentials().await?;
        let table = DynamoDb::new(&self.settings, &self.connector);
        table.open(credentials, false);
        let put = table.put(&[throughline_store::check_item(SystemTime::now())]).await;
        match put {
            Ok(left) if left.is_empty() => Ok("an item was put, which expires in a minute".to_owned()),
            Ok(_) => Err("the table is throttled: the item was left unprocessed".to_owned()),
            Err(error) => Err(self.told(&error)),
        }
    }

    fn outcome(&mut self, error: &Error) -> Outcome {
        let why = self.told(error);
        match error {
            // Another table, another role or another key may take it.
            Error::Refused { message, .. } if is_other_table(message) => Outcome::Failed { after: None, why },
            Error::Refused { code, .. } if FINAL.contains(&code.as_str()) => {
                Outcome::Refused { divisible: true, why }
            }
            Error::Spans(_) | Error::Unsendable(_) => Outcome::Refused { divisible: true, why },
            Error::Refused { .. } if !error.is_transient() => {
                self.keyring.forget();
                Outcome::Failed { after: None, why }
            }
            _ => Outcome::Failed { after: None, why },
        }
    }

    /// What went wrong, and what helps.
    fn told(&self, error: &Error) -> String {
        let Store { table, region, endpoint, .. } = &self.settings;
        let helps = match error {
            Error::Refused { code, .. } if code == "AccessDeniedException" => {
                format!("; the function's role needs dynamodb:BatchWriteItem on {table}")
            }
            Error::Refused { code, .. } if code == "ResourceNotFoundException" => {
                format!("; there is no table {table} in {region}: `throughline store create` makes it")
            }
            Error::Refused { message, .. } if is_other_table(message) => {
                format!(
                    "; {table} is no trace store: its keys are not those that `throughline store create` makes"
                )
            }
            _ => String::new(),
        };
        format!("{endpoint}: {error}{helps}")
    }
}

/// With a name of its own for each process: a sandbox that was reset, or restored from a snapshot, has the log stream of
/// another, and each puts what it counted as a whole. So the name is made when there is something to write, and not before.
fn writer(settings: &Store, connector: &Connector) -> Writer<DynamoDb> {
    let mut random = [0; 8];
    // Without it the log stream stands alone, which on most days is enough.
    let _ = SystemRandom::new().fill(&mut random);
    let sandbox = format!("{}/{:016x}", settings.sandbox, u64::from_be_bytes(random));
    let options = Options { retention: settings.retention, baggage: settings.index.clone() };
    Writer::new(DynamoDb::new(settings, connector), &sandbox, options)
}

async fn write(writer: &Writer<DynamoDb>, batch: &Batch, patience: Patience) -> Result<Written, Error> {
    let (body, now) = (batch.body(), SystemTime::now());
    match batch.signal {
        Signal::Logs => {
            let request =
                ExportLogsServiceRequest::decode(body).map_err(|error| Error::Spans(error.to_string()))?;
            writer.write_logs(request, now, patience.until).await
        }
        _ => writer.write(&body, now, patience.until).await,
    }
}

fn delivered(written: &Written) -> Outcome {
    let rejected = (written.unnamed + written.too_large) as u64;
    let why = if written.unnamed > 0 {
        "they name no invocation, and the trace store would not find them"
    } else {
        "they are of an invocation that has more than 64 MiB of them"
    };
    Outcome::Delivered { rejected, why: why.to_owned() }
}

/// Whether these are the words for an item that has not the keys of the table.
fn is_other_table(message: &str) -> bool {
    message.contains("does not match the schema") || message.contains("Missing the key")
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
