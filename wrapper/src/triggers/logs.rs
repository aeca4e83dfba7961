//! A subscription of CloudWatch Logs: lines of log, compressed, that nobody sent
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>).

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::bufread::GzDecoder;

use super::batch::Channel;
use super::event::Event;
use super::json::shape;
use super::{Answers, Reading};
use crate::span::SpanKind;

/// How much is decompressed, in bytes. Where the lines come from stands before them; what they are, we don't read.
const MAX_READ: u64 = 2 * 1024;
/// How much compressed text that takes at most, in characters of Base64: a multiple of four.
const MAX_COMPRESSED: usize = 4 * 1024;

pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    let data = event.awslogs.object::<Data<'_>>()?.data.text()?;
    let channel = Channel::new("logs", "aws.cloudwatch_logs", group(&data));
    Some(Reading {
        trigger: "pubsub",
        kind: SpanKind::Consumer,
        name: None,
        source: channel.source(),
        attributes: Vec::new(),
        sender: None,
        trace: None,
        join: None,
        records: Vec::new(),
        answers: Answers::Opaque,
        request_id: None,
        dry_runs: Vec::new(),
        stripped: None,
    })
}

shape! {
    struct Data {
        data: "data",
    }
}

/// The log group, by the beginning of the data alone.
fn group(data: &str) -> Option<String> {
    let begin = data.get(..data.len().min(MAX_COMPRESSED))?;
    let compressed = BASE64_STANDARD.decode(begin).ok()?;
    let mut text = Vec::new();
    // It may end in the middle, which is an error that says nothing.
    let _ = GzDecoder::new(compressed.as_slice()).take(MAX_READ).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    // Letters, digits and `_-/.#` are all that the name of a group may have.
    let (_, group) = text.split_once("\"logGroup\":\"")?;
    group.split_once('"').map(|(group, _)| group.to_owned())
}
