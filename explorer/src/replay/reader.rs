//! The traces and log lines in files, for those who do not send them on.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::files;
use super::found::Found;
use super::outbox::number_of;
use super::parts::Parts;
use super::scan::Scanner;
use crate::otlp::{Rejected, retain_with_ids};

/// What there is next in the files of an argument.
#[derive(Debug)]
pub(crate) enum Reading {
    /// A file begins.
    File,
    /// A request.
    Traces(ExportTraceServiceRequest),
    /// A request of log lines.
    Logs(ExportLogsServiceRequest),
    /// So much of the one before was left out: where, and why.
    Rejected(u64, String),
    /// So many metrics.
    Other(u64),
    /// What began as a request and is none: where, and why.
    Torn(String),
    /// A file that can't be read, and why.
    Unread(String),
}

/// Reads the files of an argument, one after another.
pub(crate) struct Readings {
    files: VecDeque<PathBuf>,
    path: PathBuf,
    scanner: Option<Scanner<Box<dyn Read>>>,
    parts: Parts,
    waiting: VecDeque<Reading>,
}

/// What there is in a file, in those of a folder, or in standard input if it is `-`.
pub(crate) fn read_files(path: &Path) -> Readings {
    let mut waiting = VecDeque::new();
    let files = files::named(path).unwrap_or_else(|error| {
        waiting.push_back(Reading::Unread(format!("{}: {error}", path.display())));
        Vec::new()
    });
    Readings { files: files.into(), path: path.to_owned(), scanner: None, parts: Parts::default(), waiting }
}

impl Readings {
    /// The file that is read now.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What there is next; `None` at the end of all.
    pub(crate) fn next(&mut self) -> Option<Reading> {
        loop {
            if let Some(reading) = self.waiting.pop_front() {
                return Some(reading);
            }
            let Some(scanner) = &mut self.scanner else {
                self.path = self.files.pop_front()?;
                match files::open(&self.path, |_| ()) {
                    Ok(input) => self.scanner = Some(Scanner::new(input)),
                    Err(error) => return Some(self.unread(&error)),
                }
                return Some(Reading::File);
            };
            match scanner.next() {
                Ok(Some(piece)) => {
                    let whole = piece.found.and_then(|found| match found {
                        Found::Part(part) => self.parts.add(part),
                        found => Ok(Some(found)),
                    });
                    match whole {
                        Ok(Some(found)) => {
                            let (reading, rejected) = reading(found);
                            if rejected.items > 0 {
                                let why =
                                    format!("{}:{}: {}", self.path.display(), piece.line, rejected.told());
                                self.waiting.push_back(Reading::Rejected(rejected.items, why));
                            }
                            return Some(reading);
                        }
                        Ok(None) => {}
                        Err(why) => return Some(self.torn(&format!("{}: {why}", piece.line))),
                    }
                }
                Ok(None) => {
                    self.scanner = None;
                    let incomplete = std::mem::take(&mut self.parts).incomplete();
                    let why = || format!(" {incomplete} requests in parts lack a part");
                    self.waiting.extend((incomplete > 0).then(|| self.torn(&why())));
                }
                Err(error) => {
                    self.scanner = None;
                    return Some(self.unread(&error));
                }
            }
        }
    }

    fn torn(&self, why: &str) -> Reading {
        Reading::Torn(format!("{}:{why}", self.path.display()))
    }

    fn unread(&self, error: &std::io::Error) -> Reading {
        Reading::Unread(format!("{}: {error}", self.path.display()))
    }
}

/// What was found, and what of it was left out.
fn reading(found: Found) -> (Reading, Rejected) {
    match found {
        Found::Traces(resource_spans, mut rejected) => {
            let mut request = ExportTraceServiceRequest { resource_spans };
            retain_with_ids(&mut request, &mut rejected);
            (Reading::Traces(request), rejected)
        }
        Found::Metrics(groups, rejected) => (Reading::Other(number_of(&groups)), rejected),
        Found::Logs(resource_logs, rejected) => {
            (Reading::Logs(ExportLogsServiceRequest { resource_logs }), rejected)
        }
        // A part of a part is nothing that is written.
        Found::Part(_) => (Reading::Other(0), Rejected::default()),
    }
}
