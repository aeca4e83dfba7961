//! What the benches and the fuzz targets reach inside. It is no API: the feature `internals` is for them alone, and
//! what is here changes without notice.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;

use crate::invocation::{Call, Invocation};
use crate::tracer::Tracer;
use crate::triggers::{self, Caller, Reading};

/// What was found in an event.
#[derive(Debug)]
pub struct Summary {
    /// `faas.trigger`.
    pub trigger: &'static str,
    /// Messages of a batch.
    pub records: usize,
    /// How many of these, or whether the event itself, said who sent them.
    pub senders: usize,
    /// The event as the handler sees it, if it is another.
    pub stripped: Option<Bytes>,
}

/// Reads an event.
#[must_use]
pub fn read(event: &Bytes) -> Summary {
    summary(&reading(event))
}

/// An invocation that has begun.
#[derive(Debug)]
pub struct Begun(
    #[expect(dead_code, reason = "held, so that a bench can leave out its end")] Arc<Invocation>,
);

/// Reads an event and begins its invocation, as is done before the handler is called.
#[must_use]
pub fn begin(event: &Bytes) -> Begun {
    let call = Call {
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
        function_name: "bench".to_owned(),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:bench".to_owned(),
        tenant_id: None,
        xray: None,
        cold_start: false,
        event_bytes: event.len(),
        received: tracer().now(),
    };
    Begun(Invocation::open(tracer().clone(), call, reading(event)).0)
}

fn tracer() -> &'static Arc<Tracer> {
    static TRACER: OnceLock<Arc<Tracer>> = OnceLock::new();
    TRACER.get_or_init(|| Tracer::new(&|_| None, SystemTime::now))
}

fn reading(event: &Bytes) -> Reading {
    triggers::read(event, &Caller::default(), tracer().settings())
}

fn summary(reading: &Reading) -> Summary {
    let of_records = reading.records.iter().filter(|record| record.sender.is_some()).count();
    Summary {
        trigger: reading.trigger,
        records: reading.records.len(),
        senders: of_records + usize::from(reading.sender.is_some()),
        stripped: reading.stripped.clone(),
    }
}
