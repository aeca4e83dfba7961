//! The figures of a run, and how programs read them.

use serde_json::{Value, json};

use crate::extension;
use crate::instructions::Instructions;
use crate::latency::{Latency, Variant};
use crate::memory::{Memory, Resident};
use crate::outage::Outage;
use crate::reading::Reading;
use crate::sending::{Counted, Sending};
use crate::size::Bytes;
use crate::stats::Samples;

/// All figures of a run; what was not measured is empty.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) latency: Vec<Latency>,
    pub(crate) instructions: Vec<Instructions>,
    pub(crate) sending: Option<Sending>,
    pub(crate) sending_instructions: Option<Counted>,
    pub(crate) reading: Vec<Reading>,
    pub(crate) startup: Vec<(&'static str, Samples)>,
    pub(crate) memory: Option<Memory>,
    pub(crate) outage: Vec<Outage>,
    pub(crate) size: Vec<(&'static str, Bytes)>,
    pub(crate) extension: Vec<extension::Figures>,
}

impl Report {
    /// One object: milliseconds, kilobytes of memory, bytes of files.
    pub(crate) fn json(&self) -> Value {
        let samples =
            |samples: &Samples| json!({ "p50": samples.percentile(50), "p99": samples.percentile(99) });
        let variant = |latency: &Latency, variant: &Variant| {
            json!({
                "name": variant.name,
                "client_ms": samples(&variant.client),
                "busy_ms": samples(&variant.busy),
                "p50_added_ms": latency.added(variant),
                "cpu_ms": variant.cpu.as_secs_f64() * 1000.0,
                "spans": variant.spans,
            })
        };
        let latency = |latency: &Latency| {
            let variants: Vec<Value> = latency.variants.iter().map(|v| variant(latency, v)).collect();
            let trigger = latency.trigger.variable();
            json!({ "trigger": trigger, "freeze": latency.freeze, "variants": variants })
        };
        let instructions = |of: &Instructions| {
            let counts = of.counts.iter().map(|(name, count)| json!({ "name": name, "each": count }));
            json!({ "trigger": of.trigger.variable(), "counts": counts.collect::<Vec<_>>() })
        };
        let sending = self.sending.as_ref().map(|sending| {
            json!({
                "plain_ms": samples(&sending.plain),
                "by_hand_ms": samples(&sending.by_hand),
                "traced_ms": samples(&sending.traced),
                "p50_added_ms": sending.traced.median_added_to(&sending.plain),
                "p50_injecting_ms": sending.traced.median_added_to(&sending.by_hand),
            })
        });
        let startup = self.startup.iter().map(|(name, of)| json!({ "name": name, "ms": samples(of) }));
        let memory = self.memory.as_ref().map(|memory| {
            let resident = |(name, Resident { idle, after })| json!({ "name": name, "idle_kb": idle, "after_1000_kb": after });
            memory.named().map(resident)
        });
        let outage = |of: &Outage| {
            let first = of.first.map(|after| after.as_secs_f64() * 1000.0);
            json!({
                "backend": of.backend,
                "client_ms": samples(&of.client),
                "first_after_ms": first,
                "after_ms": samples(&of.after),
            })
        };
        let bytes =
            |(name, of): &(_, Bytes)| json!({ "name": name, "bytes": of.plain, "zipped_bytes": of.zipped });
        json!({
            "latency": self.latency.iter().map(latency).collect::<Vec<_>>(),
            "instructions": self.instructions.iter().map(instructions).collect::<Vec<_>>(),
            "sending": sending,
            "sending_instructions_added": self.sending_instructions.as_ref().map(|of| json!({
                "by_hand": of.by_hand, "traced": of.traced
            })),
            "reading": self.reading,
            "startup": startup.collect::<Vec<_>>(),
            "memory": memory,
            "outage": self.outage.iter().map(outage).collect::<Vec<_>>(),
            "size": self.size.iter().map(bytes).collect::<Vec<_>>(),
            "extension": self.extension.iter().map(extension::Figures::json).collect::<Vec<_>>(),
        })
    }
}
