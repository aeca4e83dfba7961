//! SNS: message attributes, in the event of a function as in the envelope that a queue gets.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::batch::Channel;
use super::carrier;
use super::event::RawRecord;
use super::json::Part;
use super::{Record, Sender};
use crate::propagation::join;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    raw.sns.object::<Notification<'_>>().unwrap_or_default().channel()
}

pub(super) fn record(raw: &RawRecord<'_>) -> Record {
    let notification: Notification<'_> = raw.sns.object().unwrap_or_default();
    let mut record = notification.channel().record(notification.message_id.text());
    record.sender = notification.sender();
    record.join = Some(&record.id).filter(|id| !id.is_empty()).map(|id| join::sns(id));
    record.sent = notification.timestamp.text().and_then(|text| time(&text));
    record
}

/// A message as a topic delivers it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
pub(super) struct Notification<'a> {
    #[serde(rename = "Type")]
    pub(super) kind: Part<'a>,
    pub(super) message: Part<'a>,
    pub(super) message_attributes: Part<'a>,
    pub(super) message_id: Part<'a>,
    pub(super) timestamp: Part<'a>,
    pub(super) topic_arn: Part<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct MessageAttribute<'a> {
    #[serde(rename = "Type")]
    kind: Part<'a>,
    value: Part<'a>,
}

impl Notification<'_> {
    fn channel(&self) -> Arc<Channel> {
        Channel::new("sns", "aws.sns", self.topic())
    }

    pub(super) fn sender(&self) -> Option<Sender> {
        carrier::values(self.message_attributes, |value| {
            let value: MessageAttribute<'_> = value.object()?;
            match value.kind.text().as_deref() {
                Some("Binary") => value.value.binary_header(),
                _ => value.value.header(),
            }
        })
    }

    /// Name of the topic, if its ARN is one.
    pub(super) fn topic(&self) -> Option<String> {
        let arn = self.topic_arn.text()?;
        let mut parts = arn.splitn(6, ':');
        let is_sns = parts.next() == Some("arn") && parts.nth(1) == Some("sns");
        parts.nth(2).filter(|name| is_sns && !name.is_empty()).map(str::to_owned)
    }
}

/// A time in UTC as SNS writes it: `2015-08-18T18:02:32.111Z`.
fn time(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (hour, rest) = clock.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let (hour, minute) = (hour.parse::<u64>().ok()?, minute.parse::<u64>().ok()?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 {
        return None;
    }
    // Years that begin in March put the leap day last (Hinnant, "chrono-compatible low-level date algorithms").
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    let second =
        Duration::try_from_secs_f64(second.parse().ok()?).ok().filter(|second| second.as_secs() <= 60)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + hour * 3_600 + minute * 60) + second)
}

#[cfg(test)]
mod tests;
