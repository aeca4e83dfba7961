//! The OTLP messages as tables: field numbers and what stands on the wire under them.
//!
//! Only what a decoder would stumble over is written down. Fields that are not listed are unknown to
//! us and skipped, as protobuf asks, so a newer OTLP passes through unharmed.

use super::Signal;
use Kind::{
    Attribute, Bytes, Fixed32, Fixed64, Fixed64s, Id, Item, Nested, StatusCode, Text, Varint, Varints,
};

/// A message: its known fields by number.
pub(super) struct Message(pub(super) &'static [(u32, Kind)]);

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Varint,
    /// Also doubles.
    Fixed64,
    Fixed32,
    /// UTF-8.
    Text,
    Bytes,
    /// An id of this many bytes, or none at all. Collectors refuse a whole request for one wrong id.
    Id(usize),
    /// Repeated numbers, packed or one by one.
    Varints,
    Fixed64s,
    Nested(&'static Message),
    /// A nested message that is counted: a span, a metric, a log record.
    Item(&'static Message),
    /// How a span ended: the number of a `Status.StatusCode`.
    StatusCode,
    /// A span's own attribute, where `faas.invocation_id` may stand.
    Attribute,
}

/// The export request of a signal.
pub(super) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
    }
}

static TRACES: Message = Message(&[(1, Nested(&RESOURCE_SPANS))]);
static METRICS: Message = Message(&[(1, Nested(&RESOURCE_METRICS))]);
static LOGS: Message = Message(&[(1, Nested(&RESOURCE_LOGS))]);

// --- common ------------------------------------------------------------------------------------

static ANY_VALUE: Message = Message(&[
    (1, Text),
    (2, Varint),
    (3, Varint),
    (4, Fixed64),
    (5, Nested(&ARRAY_VALUE)),
    (6, Nested(&KEY_VALUE_LIST)),
    (7, Bytes),
    (8, Varint),
]);
static ARRAY_VALUE: Message = Message(&[(1, Nested(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = Message(&[(1, Nested(&KEY_VALUE))]);
pub(super) static KEY_VALUE: Message = Message(&[(1, Text), (2, Nested(&ANY_VALUE)), (3, Varint)]);
static SCOPE: Message = Message(&[(1, Text), (2, Text), (3, Nested(&KEY_VALUE)), (4, Varint)]);
static ENTITY_REF: Message = Message(&[(1, Text), (2, Text), (3, Text), (4, Text)]);
static RESOURCE: Message = Message(&[(1, Nested(&KEY_VALUE)), (2, Varint), (3, Nested(&ENTITY_REF))]);

// --- traces ------------------------------------------------------------------------------------

static RESOURCE_SPANS: Message = Message(&[(1, Nested(&RESOURCE)), (2, Nested(&SCOPE_SPANS)), (3, Text)]);
static SCOPE_SPANS: Message = Message(&[(1, Nested(&SCOPE)), (2, Item(&SPAN)), (3, Text)]);
static SPAN: Message = Message(&[
    (1, Id(16)),
    (2, Id(8)),
    (3, Text),
    (4, Id(8)),
    (5, Text),
    (6, Varint),
    (7, Fixed64),
    (8, Fixed64),
    (9, Attribute),
    (10, Varint),
    (11, Nested(&SPAN_EVENT)),
    (12, Varint),
    (13, Nested(&SPAN_LINK)),
    (14, Varint),
    (15, Nested(&STATUS)),
    (16, Fixed32),
]);
static SPAN_EVENT: Message = Message(&[(1, Fixed64), (2, Text), (3, Nested(&KEY_VALUE)), (4, Varint)]);
static SPAN_LINK: Message =
    Message(&[(1, Id(16)), (2, Id(8)), (3, Text), (4, Nested(&KEY_VALUE)), (5, Varint), (6, Fixed32)]);
static STATUS: Message = Message(&[(2, Text), (3, StatusCode)]);

// --- logs --------------------------------------------------------------------------------------

static RESOURCE_LOGS: Message = Message(&[(1, Nested(&RESOURCE)), (2, Nested(&SCOPE_LOGS)), (3, Text)]);
static SCOPE_LOGS: Message = Message(&[(1, Nested(&SCOPE)), (2, Item(&LOG_RECORD)), (3, Text)]);
static LOG_RECORD: Message = Message(&[
    (1, Fixed64),
    (2, Varint),
    (3, Text),
    (5, Nested(&ANY_VALUE)),
    (6, Nested(&KEY_VALUE)),
    (7, Varint),
    (8, Fixed32),
    (9, Id(16)),
    (10, Id(8)),
    (11, Fixed64),
    (12, Text),
]);

// --- metrics -----------------------------------------------------------------------------------

static RESOURCE_METRICS: Message = Message(&[(1, Nested(&RESOURCE)), (2, Nested(&SCOPE_METRICS)), (3, Text)]);
static SCOPE_METRICS: Message = Message(&[(1, Nested(&SCOPE)), (2, Item(&METRIC)), (3, Text)]);
static METRIC: Message = Message(&[
    (1, Text),
    (2, Text),
    (3, Text),
    (5, Nested(&GAUGE)),
    (7, Nested(&SUM)),
    (9, Nested(&HISTOGRAM)),
    (10, Nested(&EXPONENTIAL_HISTOGRAM)),
    (11, Nested(&SUMMARY)),
    (12, Nested(&KEY_VALUE)),
]);
static GAUGE: Message = Message(&[(1, Nested(&NUMBER_POINT))]);
static SUM: Message = Message(&[(1, Nested(&NUMBER_POINT)), (2, Varint), (3, Varint)]);
static HISTOGRAM: Message = Message(&[(1, Nested(&HISTOGRAM_POINT)), (2, Varint)]);
static EXPONENTIAL_HISTOGRAM: Message = Message(&[(1, Nested(&EXPONENTIAL_POINT)), (2, Varint)]);
static SUMMARY: Message = Message(&[(1, Nested(&SUMMARY_POINT))]);
static NUMBER_POINT: Message = Message(&[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Nested(&EXEMPLAR)),
    (6, Fixed64),
    (7, Nested(&KEY_VALUE)),
    (8, Varint),
]);
static HISTOGRAM_POINT: Message = Message(&[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Fixed64s),
    (7, Fixed64s),
    (8, Nested(&EXEMPLAR)),
    (9, Nested(&KEY_VALUE)),
    (10, Varint),
    (11, Fixed64),
    (12, Fixed64),
]);
static EXPONENTIAL_POINT: Message = Message(&[
    (1, Nested(&KEY_VALUE)),
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Varint),
    (7, Fixed64),
    (8, Nested(&BUCKETS)),
    (9, Nested(&BUCKETS)),
    (10, Varint),
    (11, Nested(&EXEMPLAR)),
    (12, Fixed64),
    (13, Fixed64),
    (14, Fixed64),
]);
static BUCKETS: Message = Message(&[(1, Varint), (2, Varints)]);
static SUMMARY_POINT: Message = Message(&[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Nested(&QUANTILE)),
    (7, Nested(&KEY_VALUE)),
    (8, Varint),
]);
static QUANTILE: Message = Message(&[(1, Fixed64), (2, Fixed64)]);
static EXEMPLAR: Message =
    Message(&[(2, Fixed64), (3, Fixed64), (4, Id(8)), (5, Id(16)), (6, Fixed64), (7, Nested(&KEY_VALUE))]);
