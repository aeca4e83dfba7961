//! Messages within messages: what a topic, an event bus or a bucket put into a queue's body or a topic's message.
//!
//! Most bodies are none of these and stay unread. Others are read as deep as three; the context of the outermost
//! that has one counts, and what we put into the `detail` of an event is cut out of the text that holds it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::carrier;
use super::escape::raw_offsets;
use super::eventbridge::BusEvent;
use super::json::Part;
use super::s3;
use super::scan;
use super::sns::Notification;
use super::strip::{Edits, offset};
use super::{Join, Record, Sender};

/// The most envelopes that are opened.
const MAX_DEPTH: usize = 3;

/// What each kind of envelope has in it somewhere, always spelled like this.
static MARKS: LazyLock<[Finder<'_>; 3]> =
    LazyLock::new(|| ["TopicArn", "detail-type", "aws:s3"].map(Finder::new));

/// What the envelopes in a text tell of it.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// Whom the outermost envelope names that names anyone.
    pub(super) sender: Option<Sender>,
    /// Where it came from before, as `throughline.source` has it, outermost first: ` < sns orders`.
    pub(super) via: String,
    /// What the innermost joins by: that one the producer knows.
    pub(super) join: Option<String>,
    /// What to take out of the text, which is that of a JSON string with its quotes, in order.
    cuts: Vec<Range<usize>>,
}

/// Reads the envelopes in a string; nothing, if it is none.
pub(super) fn read(text: Part<'_>) -> Envelope {
    text.raw().map(|raw| open(raw, MAX_DEPTH)).unwrap_or_default()
}

impl Envelope {
    /// Adds to a record what its envelopes tell; `text` is what they were read from, and `found` its own sender.
    pub(super) fn complete<'a>(
        self,
        found: Option<Sender>,
        text: Part<'a>,
        record: &mut Record,
        edits: &mut Edits<'a>,
    ) {
        record.sender = carrier::or_span(found, || self.sender);
        if !self.via.is_empty() {
            record.source = format!("{}{}", record.source, self.via).into();
        }
        record.join = self.join.map(Join::Id).or(record.join.take());
        for cut in self.cuts {
            if let Some(member) = text.raw().and_then(|raw| raw.get(cut)) {
                edits.replace(member, String::new());
            }
        }
    }
}

/// Opens the envelope that is the value of the JSON string `raw`.
fn open(raw: &str, depth: usize) -> Envelope {
    let Some(text) = object_text(raw).filter(|_| depth > 0) else { return Envelope::default() };
    let mut envelope = if let Some(notification) = Notification::envelope(&text) {
        let inner = notification.message.raw().map(|raw| open(raw, depth - 1)).unwrap_or_default();
        let topic = notification.topic().unwrap_or_default();
        Envelope {
            sender: carrier::or_span(notification.sender(), || inner.sender),
            via: format!(" < sns {topic}{}", inner.via),
            join: inner.join.or_else(|| notification.join()),
            cuts: inner.cuts.into_iter().filter_map(|cut| moved(cut, &text, notification.message)).collect(),
        }
    } else if let Some(event) = BusEvent::envelope(&text) {
        let detail = event.detail;
        Envelope {
            sender: event.sender(),
            via: format!(" < {}", event.source()),
            join: event.join(),
            cuts: event.injected().into_iter().filter_map(|cut| moved(cut, &text, detail)).collect(),
        }
    } else if let Some(bucket) = s3::envelope(&text) {
        Envelope { via: format!(" < s3 {}", bucket.name), join: bucket.join, ..Envelope::default() }
    } else {
        Envelope::default()
    };
    let mut ends: Vec<usize> = envelope.cuts.iter().flat_map(|cut| [cut.start, cut.end]).collect();
    raw_offsets(&raw[1..raw.len() - 1], &mut ends);
    envelope.cuts = ends.chunks_exact(2).map(|ends| ends[0] + 1..ends[1] + 1).collect();
    envelope
}

/// The value of a JSON string, if it is an object that may be an envelope.
fn object_text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    let is_object = inner.trim_start_matches([' ', '\\', 'n', 'r', 't']).starts_with('{');
    let marked = || MARKS.iter().any(|mark| mark.find(raw.as_bytes()).is_some());
    if !is_object || !marked() {
        return None;
    }
    scan::string(raw)
}

/// Where `cut`, a range of `part`, stands in `text`, of which `part` is a slice.
fn moved(cut: Range<usize>, text: &str, part: Part<'_>) -> Option<Range<usize>> {
    let at = offset(text, part.raw()?)?;
    Some(cut.start + at..cut.end + at)
}

#[cfg(test)]
mod tests;
