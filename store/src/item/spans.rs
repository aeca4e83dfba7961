//! The spans of a run: OTLP, compressed, in as many items as it takes.
//!
//! The sort key of each has the digest of the whole: spans of the same run that come later are kept beside the first,
//! and the same spans again replace themselves.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

use super::{Damaged, Item, bytes, number, text};
use crate::Error;
use crate::hash::hash;
use crate::run::Run;
use crate::schema::{SORT_KEY, bounded};

/// How much of the compressed spans is in one item. An item has 400 KB, names and keys included
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
pub(crate) const MAX_PART: usize = 390 * 1024;
/// The most spans of one run, in bytes before compression.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// zstd's own default: higher levels save a few bytes of a run and take several times as long.
const LEVEL: i32 = 3;

const SPANS: &str = "spans";
const ENCODING: &str = "encoding";
const ZSTD: &str = "zstd";
const PART: &str = "part";
const PARTS: &str = "parts";
const BYTES: &str = "bytes";
const DIGEST: &str = "digest";

/// The items of a run's spans, without partition and expiry: each with its sort key. None if the spans are more than 64
/// MiB.
pub(crate) fn pack(run: &Run) -> Result<Vec<(String, Item)>, Error> {
    let whole = ExportTraceServiceRequest { resource_spans: run.otlp.clone() }.encode_to_vec();
    if whole.len() > MAX_BYTES {
        return Ok(Vec::new());
    }
    let compressed = zstd::bulk::compress(&whole, LEVEL).map_err(|error| Error::Spans(error.to_string()))?;
    let digest = format!("{:016x}", hash([whole.as_slice()]));
    let parts: Vec<&[u8]> = compressed.chunks(MAX_PART).collect();
    let span = bounded(run.head().map_or("", |head| &head.span_id)).into_owned();
    let item = |(at, part): (usize, &&[u8])| {
        let number = |number: usize| AttributeValue::N(number.to_string());
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let item = Item::from([
            (SPANS.into(), AttributeValue::B(Blob::new(*part))),
            (ENCODING.into(), text(ZSTD)),
            (PART.into(), number(at)),
            (PARTS.into(), number(parts.len())),
            (BYTES.into(), number(whole.len())),
            (DIGEST.into(), text(&digest)),
        ]);
        (format!("{span}#{digest}#{at:04}"), item)
    };
    Ok(parts.iter().enumerate().map(item).collect())
}

/// The spans in the items of one partition, whole ones only; what is wrong with the others.
pub(crate) fn unpack(items: &[Item]) -> (Vec<ResourceSpans>, Vec<Damaged>) {
    let mut wholes: BTreeMap<(&str, &str), Vec<&Item>> = BTreeMap::new();
    let (mut spans, mut damaged) = (Vec::new(), Vec::new());
    for item in items {
        let run = text(item, SORT_KEY).and_then(|sort| Some(sort.split_once('#')?.0));
        match (run, text(item, DIGEST)) {
            (Some(run), Some(digest)) => wholes.entry((run, digest)).or_default().push(item),
            _ => damaged.push(Damaged::new(item, "no spans of ours")),
        }
    }
    for ((_, digest), mut parts) in wholes {
        parts.sort_by_key(|item| number(item, PART));
        match (join(&parts, digest), parts.first()) {
            (Ok(request), _) => spans.extend(request.resource_spans),
            (Err(why), Some(first)) => damaged.push(Damaged::new(first, why)),
            (Err(_), None) => {}
        }
    }
    (spans, damaged)
}

/// How many bytes the spans in these items are, as far as they say.
pub(crate) fn unpacked_bytes(items: &[Item]) -> u64 {
    let first = items.iter().filter(|item| number(item, PART) == Some(0));
    first.filter_map(|item| number(item, BYTES)).fold(0, u64::saturating_add)
}

fn join(items: &[&Item], digest: &str) -> Result<ExportTraceServiceRequest, String> {
    let first = items.first().ok_or("no spans")?;
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
        compressed.extend_from_slice(bytes(item, SPANS).ok_or("a part without spans")?);
    }
    let whole = zstd::bulk::decompress(&compressed, size).map_err(|error| error.to_string())?;
    if format!("{:016x}", hash([whole.as_slice()])) != digest {
        return Err("torn: it is not what was written".to_owned());
    }
    ExportTraceServiceRequest::decode(whole.as_slice()).map_err(|error| error.to_string())
}
