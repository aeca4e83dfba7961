//! S3: no event carries metadata, so that nobody is named: it joins by the id of the request that changed the object.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::batch::Channel;
use super::event::{Event, RawRecord};
use super::json::{Part, shape};
use super::{Join, Record};
use crate::propagation::join;
use crate::span::Value;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    Channel::new("s3", "aws.s3", raw.s3.bucket())
}

pub(super) fn record(raw: &RawRecord<'_>, channel: &Channel) -> Record {
    let mut record = channel.record(None);
    let object = Object::of_record(raw);
    record.join = object.join.map(Join::Id);
    record.attributes.extend(object.attributes);
    if let Some(name) = raw.event_name.header() {
        record.attributes.push(("throughline.s3.event_name", name.into_owned().into()));
    }
    record.sent = raw.event_time.header().and_then(|time| super::time::parse(&time));
    record
}

/// What a notification of S3 in a message tells.
pub(super) struct Notified {
    pub(super) name: String,
    pub(super) join: Option<String>,
}

/// The notification that a message consists of; `None` for what only looks like one.
pub(super) fn envelope(body: &str) -> Option<Notified> {
    let first: RawRecord<'_> = Event::parse(body).records.first()?.object()?;
    if first.event_source.text()? != "aws:s3" {
        return None;
    }
    let name = first.s3.bucket()?;
    Some(Notified { name, join: Object::of_record(&first).join })
}

/// The object that an event is about.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) join: Option<String>,
    pub(super) attributes: Vec<(&'static str, Value<'static>)>,
}

impl Object {
    fn of_record(raw: &RawRecord<'_>) -> Self {
        // In these events, and not in those of EventBridge, the key is encoded as in a form.
        let decoded = |key: &str| percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned();
        Self::new(&raw.s3, raw.response_elements.request_id, decoded)
    }

    /// From an event of EventBridge
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>).
    pub(super) fn of_detail(detail: Part<'_>) -> Option<Self> {
        let pointer: Pointer<'_> = detail.object()?;
        Some(Self::new(&pointer, pointer.request_id, str::to_owned))
    }

    fn new(pointer: &Pointer<'_>, request: Part<'_>, key: impl Fn(&str) -> String) -> Self {
        let object = &pointer.object;
        let mut attributes = Vec::new();
        attributes.extend(pointer.bucket().map(|name| ("aws.s3.bucket", name.into())));
        attributes.extend(object.key.header().map(|name| ("aws.s3.key", key(&name).into())));
        let etag = object.etag.header().map(Cow::into_owned);
        attributes.extend(etag.map(|etag| ("throughline.s3.etag", etag.into())));
        attributes.extend(object.size.integer().map(|size| ("throughline.s3.size", size.into())));
        Self { join: request.header().filter(|id| !id.is_empty()).map(|id| join::s3(&id)), attributes }
    }
}

shape! {
    /// What S3 answered to the request that changed an object.
    pub(super) struct ResponseElements {
        request_id: "x-amz-request-id",
    }
}

shape! {
    /// Which object it is.
    pub(super) struct Pointer {
        bucket: "bucket" as Bucket,
        object: "object" as ObjectPart,
        request_id: "request-id",
    }
}

impl Pointer<'_> {
    fn bucket(&self) -> Option<String> {
        let name = self.bucket.name.header()?;
        (!name.is_empty()).then(|| name.into_owned())
    }
}

shape! {
    struct Bucket {
        name: "name",
    }
}

shape! {
    struct ObjectPart {
        // As each of the two kinds of events spells it.
        etag: "etag" | "eTag",
        key: "key",
        size: "size",
    }
}
