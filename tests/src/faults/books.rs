//! Holds what should have come of a cell against what the backend knows, what is on stdout, and what the extension
//! counted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::backend::Known;
use super::cells::Fate;
use crate::spans::{Arrived, Ledger};

/// What became of the spans of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// At the backend.
    pub delivered: usize,
    /// On stdout.
    pub spilled: usize,
    /// Refused by the backend for good.
    pub dropped: usize,
    /// Nowhere.
    pub lost: usize,
    /// At the backend once more after it had accepted them, or in two places.
    pub duplicates: usize,
    /// Sent to the backend, which did not say whether it took them.
    pub maybe: usize,
}

/// All that is known of a cell that ran.
pub(super) struct Books<'a> {
    pub(super) due: &'a Ledger,
    pub(super) known: &'a Known,
    /// The lines of the extensions.
    pub(super) lines: &'a [String],
    /// How many extensions ran, one after the other.
    pub(super) extensions: usize,
    pub(super) fate: Fate,
}

/// The sums of the summary lines.
#[derive(Debug, Default)]
struct Summed(BTreeMap<&'static str, u64>);

impl Summed {
    const COUNTS: [&'static str; 6] = ["received", "exported", "spilled", "kept", "dropped", "unanswered"];

    fn add(&mut self, summary: &Value) {
        for count in Self::COUNTS {
            *self.0.entry(count).or_default() += summary["spans"][count].as_u64().unwrap_or(0);
        }
    }
}

impl Books<'_> {
    /// What became of the spans, and what is wrong with that.
    pub(super) fn close(&self) -> (Tally, Vec<String>) {
        let mut faults = Vec::new();
        let spilled: Vec<Arrived> =
            self.lines.iter().filter_map(|line| Arrived::in_line(line)).flatten().collect();
        // A refused batch is tried in parts.
        let mut seen = BTreeSet::new();
        let rejected: Vec<&Arrived> =
            self.known.rejected.iter().filter(|span| seen.insert(&span.span.span_id)).collect();
        let everywhere = || self.known.accepted.iter().chain(&spilled).chain(rejected.iter().copied());

        let mut times: BTreeMap<(&[u8], &[u8]), usize> = BTreeMap::new();
        for span in everywhere() {
            *times.entry((&span.span.trace_id, &span.span.span_id)).or_default() += 1;
        }
        let told: BTreeSet<String> = everywhere().map(Arrived::key).collect();
        let lost: Vec<&String> = self.due.keys().filter(|key| !told.contains(*key)).collect();
        let tally = Tally {
            delivered: self.known.accepted.len(),
            spilled: spilled.len(),
            dropped: rejected.len(),
            lost: lost.len(),
            duplicates: times.values().map(|times| times - 1).sum(),
            maybe: self.known.maybe,
        };
        faults.extend(lost.into_iter().map(|key| format!("lost: {key}")));
        let twice = everywhere().filter(|span| times[&(&span.span.trace_id[..], &span.span.span_id[..])] > 1);
        faults.extend(twice.map(|span| format!("twice: {}", span.key())));
        self.check_counters(tally, &mut faults);
        self.check_fate(tally, &mut faults);
        (tally, faults)
    }

    /// The summary lines say the same as the backend and stdout.
    fn check_counters(&self, tally: Tally, faults: &mut Vec<String>) {
        let lines = self.lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut summed = Summed::default();
        let mut summaries = 0;
        for summary in lines.filter(|line| line["message"] == "summary") {
            summaries += 1;
            summed.add(&summary);
        }
        if summaries != self.extensions {
            faults.push(format!("{summaries} summary lines of {} extensions", self.extensions));
        }
        let due = [
            ("received", tally.delivered + tally.spilled + tally.dropped - tally.duplicates),
            ("exported", tally.delivered),
            ("spilled", tally.spilled),
            ("kept", 0),
            ("dropped", tally.dropped),
        ];
        for (count, due) in due {
            let said = summed.0.get(count).copied().unwrap_or(0);
            if said != due as u64 {
                faults.push(format!("{said} spans {count} in the summary, not {due}"));
            }
        }
        // Of a connection that broke nobody here knows how much of a request was read.
        let unanswered = summed.0.get("unanswered").copied().unwrap_or(0);
        if unanswered < tally.maybe as u64 {
            faults.push(format!("{unanswered} spans unanswered in the summary, of {}", tally.maybe));
        }
    }

    fn check_fate(&self, tally: Tally, faults: &mut Vec<String>) {
        let Tally { delivered, spilled, dropped, .. } = tally;
        let right = match self.fate {
            Fate::Delivered => spilled + dropped == 0,
            Fate::DeliveredOrSpilled => dropped == 0,
            Fate::Spilled => delivered + dropped == 0,
            Fate::Dropped => delivered + spilled == 0,
            Fate::PartlyDropped => spilled == 0 && dropped > 0 && delivered > 0,
        };
        if !right {
            faults.push(format!(
                "{delivered} delivered, {spilled} spilled, {dropped} dropped: not {:?}",
                self.fate
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::Span;
    use serde_json::json;

    use super::*;

    fn invocation(id: u8) -> Arrived {
        let value = Some(AnyValue { value: Some(Any::StringValue(format!("r{id}"))) });
        let attribute = KeyValue { key: "faas.invocation_id".into(), value, ..KeyValue::default() };
        let span = Span { span_id: vec![id; 8], attributes: vec![attribute], ..Span::default() };
        Arrived { span, resource: Vec::new() }
    }

    fn summary(received: u64, exported: u64, spilled: u64, dropped: u64) -> String {
        let kept = received - exported - spilled - dropped;
        let spans = json!({
            "received": received, "exported": exported, "spilled": spilled, "kept": kept, "dropped": dropped
        });
        json!({ "message": "summary", "spans": spans }).to_string()
    }

    /// Two spans are due.
    fn close(known: &Known, line: String, fate: Fate) -> (Tally, Vec<String>) {
        let mut due = Ledger::default();
        due.expect("r1", 0);
        due.expect("r2", 0);
        Books { due: &due, known, lines: &[line], extensions: 1, fate }.close()
    }

    #[test]
    fn what_arrived_once_is_right() {
        let known = Known { accepted: vec![invocation(1), invocation(2)], ..Known::default() };
        let (tally, faults) = close(&known, summary(2, 2, 0, 0), Fate::Delivered);
        assert_eq!((tally.delivered, faults), (2, vec![]));
    }

    #[test]
    fn what_nobody_answered_for_is_to_be_counted() {
        let known = Known { accepted: vec![invocation(1), invocation(2)], maybe: 2, ..Known::default() };
        let (_, faults) = close(&known, summary(2, 2, 0, 0), Fate::Delivered);
        assert_eq!(faults, ["0 spans unanswered in the summary, of 2"]);
        let counted = summary(2, 2, 0, 0).replace("\"kept\"", "\"unanswered\":2,\"kept\"");
        let (_, faults) = close(&known, counted, Fate::Delivered);
        assert_eq!(faults, [""; 0]);
    }

    #[test]
    fn what_is_lost_twice_or_counted_wrongly_is_found() {
        let known = Known { accepted: vec![invocation(1), invocation(1)], ..Known::default() };
        let (tally, faults) = close(&known, summary(2, 2, 0, 0), Fate::Delivered);
        assert_eq!((tally.lost, tally.duplicates), (1, 1));
        assert!(faults.contains(&"lost: invocation of r2".to_owned()), "{faults:?}");
        assert!(faults.contains(&"twice: invocation of r1".to_owned()), "{faults:?}");
        assert!(faults.contains(&"2 spans received in the summary, not 1".to_owned()), "{faults:?}");

        let known =
            Known { accepted: vec![invocation(1)], rejected: vec![invocation(2); 3], ..Known::default() };
        let (tally, faults) = close(&known, summary(2, 1, 0, 1), Fate::PartlyDropped);
        assert_eq!((tally.dropped, faults), (1, vec![]), "refused in parts is refused once");
        let (_, faults) = close(&known, summary(2, 1, 0, 1), Fate::Delivered);
        assert_eq!(faults, ["1 delivered, 0 spilled, 1 dropped: not Delivered"]);
        let (_, faults) = close(&known, "no summary".into(), Fate::PartlyDropped);
        assert_eq!(faults[0], "0 summary lines of 1 extensions");
    }
}
