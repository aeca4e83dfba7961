//! What the platform reports of a run when it is over: mostly after its spans were counted, sometimes before.

use std::collections::VecDeque;

use super::flow::Spared;
use crate::run::Usage;

/// How many runs, the newest, are remembered with what was counted of them. Reports come within one run or two.
const MAX_RUNS: usize = 256;
/// How many reports wait for their run. Those of a function that tells no runs stay here.
const MAX_WAITING: usize = 512;

/// What the platform told of a run when it was over: Lambda's `platform.report`
/// (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The request id.
    pub request_id: String,
    /// The most memory that it used, in bytes.
    pub memory: Option<u64>,
    /// The memory that it was given, in bytes.
    pub memory_limit: Option<u64>,
    /// What is billed, in milliseconds; of a cold start its init is in it.
    pub billed_millis: Option<u64>,
    /// How long its init took, in microseconds, if it was the first of its sandbox.
    pub init: Option<u64>,
}

/// The newest runs, and the reports whose run was not counted yet.
#[derive(Debug, Default)]
pub(super) struct Reports {
    runs: VecDeque<Reported>,
    waiting: VecDeque<(u64, Report)>,
}

/// A run that was counted, with or without its report.
#[derive(Debug)]
pub(super) struct Reported {
    /// Hashes of its request id, and of trace and id of its span.
    pub(super) request: u64,
    pub(super) span: u64,
    /// Where it was counted: hour and function, entry point and build.
    pub(super) key: (u64, String),
    pub(super) flow: (String, String),
    /// What fails with it if that is told later.
    pub(super) spared: Spared,
    /// What was counted.
    pub(super) usage: Usage,
    /// Its report is in that.
    pub(super) reported: bool,
    /// And said what is billed.
    pub(super) billed: bool,
}

impl Reports {
    /// The report of a run that is counted now, if it came before.
    pub(super) fn take(&mut self, request: u64) -> Option<Report> {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == request)?;
        self.waiting.remove(at).map(|(_, report)| report)
    }

    /// Remembers a run that was counted.
    pub(super) fn remember(&mut self, run: Reported) {
        if self.runs.len() == MAX_RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back(run);
    }

    /// The run with this span.
    pub(super) fn of_span(&mut self, span: u64) -> Option<&mut Reported> {
        self.runs.iter_mut().rev().find(|run| run.span == span)
    }

    /// The first run of this request, which may have been tried again, that has no report. Without one the report waits.
    pub(super) fn of_request(&mut self, request: u64, report: &Report) -> Option<&mut Reported> {
        let run = self.runs.iter_mut().find(|run| run.request == request && !run.reported);
        if run.is_none() {
            if self.waiting.len() == MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back((request, report.clone()));
        }
        run
    }
}

impl Reported {
    /// Adds what a part of it took that comes later, such as its init. Tells what of that was not counted yet.
    pub(super) fn add(&mut self, part: Usage) -> Usage {
        let part = Usage {
            mib_millis: if self.billed { 0 } else { part.mib_millis },
            init: part.init.filter(|_| self.usage.init.is_none()),
            ..part
        };
        self.usage.mib_millis = self.usage.mib_millis.saturating_add(part.mib_millis);
        self.usage.init = self.usage.init.or(part.init);
        part
    }

    /// Takes its report. Tells what was counted before.
    pub(super) fn take(&mut self, report: &Report) -> Usage {
        let before = self.usage.clone();
        self.usage.report(report);
        (self.reported, self.billed) = (true, report.billed_millis.is_some());
        before
    }
}
