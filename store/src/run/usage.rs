//! What a run took of memory and time, as far as the platform told.

use super::Run;
use crate::span::Span;
use crate::totals::Report;

/// A mebibyte, in which memory is given and billed.
const MIB: u64 = 1024 * 1024;

/// What a run took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The most memory that it used, in bytes.
    pub(crate) memory: u64,
    /// The memory that it was given, in bytes.
    pub(crate) memory_limit: u64,
    /// In MiB and milliseconds: as billed, or each duration rounded up to a millisecond, as bills do it
    /// (<https://aws.amazon.com/lambda/pricing/>).
    pub(crate) mib_millis: u64,
    /// How long its init took, in microseconds.
    pub(crate) init: Option<u64>,
}

impl Run {
    /// What it took; nothing, of what is no function's.
    pub(crate) fn usage(&self) -> Usage {
        let number = |span: &Span| span.attribute("faas.mem_usage")?.parse::<u64>().ok();
        let memory = self.spans.iter().filter_map(number).max().unwrap_or_default();
        let init = self.spans.iter().find(|span| is_init(span)).map(micros);
        let ran = self.spans.iter().filter(|span| span.invocation_id().is_some()).map(micros);
        let millis = ran.chain(init).fold(0_u64, |sum, micros| sum.saturating_add(micros.div_ceil(1000)));
        if memory == 0 && millis == 0 {
            return Usage::default();
        }
        let memory_limit = self.resource("faas.max_memory").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        Usage { memory, memory_limit, mib_millis: millis.saturating_mul(memory_limit / MIB), init }
    }
}

impl Usage {
    /// Takes what the platform told when the run was over: that knows better.
    pub(crate) fn report(&mut self, report: &Report) {
        self.memory = self.memory.max(report.memory.unwrap_or_default());
        if self.memory_limit == 0 {
            self.memory_limit = report.memory_limit.unwrap_or_default();
        }
        if let Some(millis) = report.billed_millis {
            self.mib_millis = millis.saturating_mul(self.memory_limit / MIB);
        }
        self.init = self.init.or(report.init);
    }
}

/// The phase of a cold start, as the extension tells it.
fn is_init(span: &Span) -> bool {
    span.name == "init" && span.attribute("faas.coldstart") == Some("true") && span.invocation_id().is_none()
}

fn micros(span: &Span) -> u64 {
    span.took() / 1000
}

#[cfg(test)]
mod tests {
    use super::super::group;
    use super::*;
    use crate::testing::{NOW, Told as _, invocation, of_memory, otlp, span};

    fn usage(spans: impl IntoIterator<Item = opentelemetry_proto::tonic::trace::v1::Span>) -> Usage {
        group(of_memory(otlp("f", spans), 256 * MIB))[0].usage()
    }

    #[test]
    fn a_run_is_billed_for_its_time_and_memory() {
        let ran = invocation(1, 1, "r").at(NOW, 40).attribute("faas.mem_usage", "104857600");
        let used = Usage { memory: 100 * MIB, memory_limit: 256 * MIB, mib_millis: 40 * 256, init: None };
        assert_eq!(usage([ran.clone()]), used);
        let mut init = span(1, 2, Some(1)).attribute("faas.coldstart", "true").at(NOW - 300, 212);
        init.name = "init".into();
        let cold = Usage { mib_millis: 252 * 256, init: Some(212_000), ..used };
        assert_eq!(usage([ran, init.clone()]), cold);
        // It comes by itself, later.
        let alone = Usage { memory: 0, mib_millis: 212 * 256, ..cold };
        assert_eq!(usage([init]), alone);
    }

    #[test]
    fn calls_take_nothing_of_their_own() {
        assert_eq!(usage([span(1, 2, Some(1)).at(NOW, 40)]), Usage::default());
        let begun = invocation(1, 1, "r").at(NOW, 1);
        assert_eq!(group(otlp("f", [begun]))[0].usage(), Usage::default().clone(), "nobody told its memory");
    }
}
