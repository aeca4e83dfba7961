//! The spans of a run, or its log lines: OTLP, compressed, in as many items as it takes.
//!
//! The sort key of each has the digest of the whole: what comes later of the same run is kept beside the first, and the
//! same again replaces itself.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;
use serde_dynamo::AttributeValue;

use super::{Damaged, Item, bytes, item, number, text};
use crate::Error;
use crate::hash::hash;
use crate::run::Run;
use crate::schema::{SORT_KEY, bounded};
use crate::time::LAST;

/// How much of the compressed spans is in one item. An item has 400 KB, names and keys included
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
pub(crate) const MAX_PART: usize = 390 * 1024;
/// The most spans or lines of one run, in bytes before compression.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// zstd's own default: higher levels save a few bytes of a run and take several times as long.
const LEVEL: i32 = 3;

const SPANS: &str = "spans";
const LOGS: &str = "logs";
const ENCODING: &str = "encoding";
const ZSTD: &str = "zstd";
const PART: &str = "part";
const PARTS: &str = "parts";
const BYTES: &str = "bytes";
const DIGEST: &str = "digest";

/// The items of a run's spans, without partition and expiry: each with its sort key. None if the spans are more than 64
/// MiB.
pub(crate) fn pack(run: &Run) -> Result<Vec<(String, Item)>, Error> {
    let request = ExportTraceServiceRequest { resource_spans: run.otlp.clone() };
    pack_as(SPANS, &bounded(run.head().map_or("", |head| &head.span_id)), &request)
}

/// The same of log lines of which the first is of then, in milliseconds since 1970.
pub(crate) fn pack_logs(at: u64, lines: ResourceLogs) -> Result<Vec<(String, Item)>, Error> {
    let request = ExportLogsServiceRequest { resource_logs: vec![lines] };
    pack_as(LOGS, &format!("{:013}", at.min(LAST)), &request)
}

fn pack_as(name: &str, first: &str, request: &impl Message) -> Result<Vec<(String, Item)>, Error> {
    let whole = request.encode_to_vec();
    if whole.len() > MAX_BYTES {
        return Ok(Vec::new());
    }
    let compressed = zstd::bulk::compress(&whole, LEVEL).map_err(|error| Error::Spans(error.to_string()))?;
    let digest = format!("{:016x}", hash([whole.as_slice()]));
    let parts: Vec<&[u8]> = compressed.chunks(MAX_PART).collect();
    let item_of = |(at, part): (usize, &&[u8])| {
        let number = |number: usize| AttributeValue::N(number.to_string());
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let item = item([
            (name, AttributeValue::B(part.to_vec())),
            (ENCODING, text(ZSTD)),
            (PART, number(at)),
            (PARTS, number(parts.len())),
            (BYTES, number(whole.len())),
            (DIGEST, text(&digest)),
        ]);
        (format!("{first}#{digest}#{at:04}"), item)
    };
    Ok(parts.iter().enumerate().map(item_of).collect())
}

/// The spans in the items of one partition, whole ones only; what is wrong with the others.
pub(crate) fn unpack(items: &[Item]) -> (Vec<ResourceSpans>, Vec<Damaged>) {
    let (requests, damaged) = unpack_as::<ExportTraceServiceRequest>(SPANS, items);
    (requests.into_iter().flat_map(|request| request.resource_spans).collect(), damaged)
}

/// The same of log lines.
pub(crate) fn unpack_logs(items: &[Item]) -> (Vec<ResourceLogs>, Vec<Damaged>) {
    let (requests, damaged) = unpack_as::<ExportLogsServiceRequest>(LOGS, items);
    (requests.into_iter().flat_map(|request| request.resource_logs).collect(), damaged)
}

fn unpack_as<T: Message + Default>(name: &str, items: &[Item]) -> (Vec<T>, Vec<Damaged>) {
    let mut wholes: BTreeMap<(&str, &str), Vec<&Item>> = BTreeMap::new();
    let (mut requests, mut damaged) = (Vec::new(), Vec::new());
    for item in items {
        let first = text(item, SORT_KEY).and_then(|sort| Some(sort.split_once('#')?.0));
        match (first, text(item, DIGEST)) {
            (Some(first), Some(digest)) => wholes.entry((first, digest)).or_default().push(item),
            _ => damaged.push(Damaged::new(item, format!("no {name} of ours"))),
        }
    }
    for ((_, digest), mut parts) in wholes {
        parts.sort_by_key(|item| number(item, PART));
        match (join(name, &parts, digest), parts.first()) {
            (Ok(request), _) => requests.push(request),
            (Err(why), Some(first)) => damaged.push(Damaged::new(first, why)),
            (Err(_), None) => {}
        }
    }
    (requests, damaged)
}

/// How many bytes the spans or lines in these items are, as far as they say.
pub(crate) fn unpacked_bytes(items: &[Item]) -> u64 {
    let first = items.iter().filter(|item| number(item, PART) == Some(0));
    first.filter_map(|item| number(item, BYTES)).fold(0, u64::saturating_add)
}

fn join<T: Message + Default>(name: &str, items: &[&Item], digest: &str) -> Result<T, String> {
    let first = items.first().ok_or("no parts")?;
    let parts = number(first, PARTS).ok_or("it says not of how many parts it is")?;
    if items.len() as u64 != parts || !items.iter().zip(0..).all(|(item, at)| number(item, PART) == Some(at))
    {
        return Err(format!("{} of {parts} parts are here", items.len()));
    }
    if text(first, ENCODING) != Some(ZSTD) {
        return Err(format!("compressed as {}", text(first, ENCODING).unwrap_or("nothing says")));
    }
    let size = number(first, BYTES).and_then(|size| usize::try_from(size).ok()).ok_or("it says no size")?;
    if size > MAX_BYTES {
        return Err(format!("{size} bytes are more than a run has"));
    }
    let mut compressed = Vec::new();
    for item in items {
        compressed.extend_from_slice(bytes(item, name).ok_or_else(|| format!("a part without {name}"))?);
    }
    let whole = zstd::bulk::decompress(&compressed, size).map_err(|error| error.to_string())?;
    if format!("{:016x}", hash([whole.as_slice()])) != digest {
        return Err("torn: it is not what was written".to_owned());
    }
    T::decode(whole.as_slice()).map_err(|error| error.to_string())
}
