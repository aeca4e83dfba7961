//! What the platform reports of invocations that are over: the trace store counts it with their spans. Without a store
//! nothing of it is kept.

use super::event::{End, millis};
use super::{Facts, FunctionInfo};
use throughline_store::Report;

/// As many as can wait for a flush. Of an invocation whose report was lost the store counts the duration.
pub(super) const KEPT: usize = 256;

// === impl Facts ===

impl Facts {
    /// Keeps a report, if there is a store to count it.
    pub(super) fn keep_report(&mut self, request_id: &str, end: &End) {
        if !self.settings.reports {
            return;
        }
        if self.reports.len() == KEPT {
            self.reports.pop_front();
        }
        self.reports.push_back(report(request_id, end, &self.settings.function));
    }

    /// The reports that came since they were asked for last.
    pub fn take_reports(&mut self) -> Vec<Report> {
        self.reports.drain(..).collect()
    }

    /// Whether the report of this request is wanted and has not come.
    pub fn report_is_due(&self, request_id: &str) -> bool {
        let latest = self.attempts.iter().rev().find(|attempt| attempt.request_id == request_id);
        self.settings.reports && latest.is_some_and(|attempt| attempt.report.is_none())
    }
}

fn report(request_id: &str, end: &End, function: &FunctionInfo) -> Report {
    let bytes = |bytes: i64| u64::try_from(bytes).ok();
    let micros = |told| millis(told).and_then(|init| u64::try_from(init.as_micros()).ok());
    Report {
        request_id: request_id.to_owned(),
        memory: end.memory_used().and_then(bytes),
        memory_limit: function.memory.and_then(bytes),
        billed_millis: micros(end.metrics.billed_duration_ms).map(|micros| micros.div_ceil(1000)),
        init: micros(end.metrics.init_duration_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Settings;
    use crate::facts::event::read;

    fn facts(reports: bool) -> Facts {
        let function = FunctionInfo { memory: Some(256 << 20), ..FunctionInfo::default() };
        Facts::new(Settings { reports, function, ..Settings::default() }, 0)
    }

    fn tell(facts: &mut Facts, request_id: &str, metrics: &str) {
        let record = format!(r#"{{"requestId":"{request_id}","status":"success","metrics":{metrics}}}"#);
        let event =
            format!(r#"[{{"time":"2026-11-22T07:00:00Z","type":"platform.report","record":{record}}}]"#);
        read(event.as_bytes()).iter().for_each(|event| facts.told(event));
    }

    const COLD: &str = r#"{"durationMs":20.5,"billedDurationMs":121,"memorySizeMB":256,"maxMemoryUsedMB":31,
        "initDurationMs":100.25}"#;

    #[test]
    fn what_is_reported_is_kept_once_for_the_store() {
        let mut facts = facts(true);
        facts.invoked("r", 1);
        assert!(facts.report_is_due("r"));
        tell(&mut facts, "r", COLD);
        tell(&mut facts, "r", COLD);
        assert!(!facts.report_is_due("r") && !facts.report_is_due("s"));
        let cold = Report {
            request_id: "r".into(),
            memory: Some(31 << 20),
            memory_limit: Some(256 << 20),
            billed_millis: Some(121),
            init: Some(100_250),
        };
        assert_eq!(facts.take_reports(), [cold]);
        assert_eq!(facts.take_reports(), []);
        tell(&mut facts, "s", r#"{"durationMs":1.5,"billedDurationMs":-1,"maxMemoryUsedMB":1e300}"#);
        let nothing = Report { request_id: "s".into(), memory_limit: Some(256 << 20), ..Report::default() };
        assert_eq!(facts.take_reports(), [nothing], "absurd numbers are none");
    }

    #[test]
    fn without_a_store_nothing_is_kept_and_with_one_so_many() {
        let mut off = facts(false);
        off.invoked("r", 1);
        tell(&mut off, "r", COLD);
        assert!(off.reports.is_empty() && !off.report_is_due("s"));
        let mut on = facts(true);
        (0..1000).for_each(|number| tell(&mut on, &number.to_string(), COLD));
        let kept = on.take_reports();
        assert_eq!((kept.len(), kept[0].request_id.as_str()), (KEPT, "744"), "the newest");
    }
}
