//! What is found of one signal, on its way: gathered into requests, sent, and counted.

use std::collections::BTreeMap;

use super::groups::{Group, Signal, pieces, request};
use super::send::{Outcome, Sender};
use crate::otlp::Rejected;

/// The largest request: under the 4 MB that the strictest of common limits asks for.
const LARGEST: usize = 3_900_000;
/// Why nothing of an item is sent. What is wrong with it is told where it stands.
const NO_OTLP: &str = "no OTLP";
/// Tag and length of a group.
const AROUND: usize = 8;

/// What became of the items of a signal. Found are those that were repeated, sent, refused or not sent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) found: u64,
    pub(super) repeated: u64,
    pub(super) sent: u64,
    pub(super) refused: u64,
    pub(super) unsent: u64,
    /// Why, with the number of items for each reason.
    pub(super) why: BTreeMap<String, u64>,
}

/// The items of one signal.
#[derive(Debug)]
pub(super) struct Outbox<G> {
    signal: Signal,
    groups: Vec<G>,
    bytes: usize,
    pub(super) counts: Counts,
}

// === impl Outbox ===

impl<G: Group> Outbox<G> {
    pub(super) fn new(signal: Signal) -> Self {
        Self { signal, groups: Vec::new(), bytes: 0, counts: Counts::default() }
    }

    /// Takes groups, and sends what is a full request. An error tells why there is no use in going on.
    pub(super) async fn add(&mut self, groups: Vec<G>, sender: Option<&mut Sender>) -> Result<(), String> {
        let Some(sender) = sender else { return Ok(()) };
        for piece in pieces(groups, LARGEST - AROUND) {
            let bytes = piece.encoded_len() + AROUND;
            let full = self.bytes + bytes > LARGEST && !self.groups.is_empty();
            let sent = if full { self.send(sender).await } else { Ok(()) };
            self.bytes += bytes;
            self.groups.push(piece);
            sent?;
        }
        Ok(())
    }

    /// Sends what is gathered.
    pub(super) async fn send(&mut self, sender: &mut Sender) -> Result<(), String> {
        self.bytes = 0;
        let mut waiting = vec![std::mem::take(&mut self.groups)];
        while let Some(mut groups) = waiting.pop() {
            let items = number_of(&groups);
            if items == 0 {
                continue;
            }
            let outcome = sender.send(self.signal, &request(&groups)).await;
            match outcome.unwrap_or_else(|error| Outcome::Failed(format!("{error:#}"))) {
                Outcome::Taken { rejected, why } => {
                    let rejected = rejected.min(items);
                    self.counts.sent += items - rejected;
                    self.refused(rejected, why);
                }
                Outcome::Refused { divisible: true, why } => match halved(&mut groups) {
                    // One bad span must not cost the others theirs.
                    Some(half) => waiting.extend([half, groups]),
                    None => self.refused(items, why),
                },
                Outcome::Refused { divisible: false, why } | Outcome::Failed(why) => {
                    self.groups = groups;
                    self.groups.extend(waiting.into_iter().flatten());
                    return Err(why);
                }
            }
        }
        Ok(())
    }

    /// Counts what was found with the others and is no OTLP.
    pub(super) fn reject(&mut self, rejected: &Rejected) {
        self.counts.found += rejected.items;
        self.refused(rejected.items, NO_OTLP.to_owned());
    }

    /// Counts what is still here as not sent.
    pub(super) fn give_up(&mut self, why: &str) {
        let items = number_of(&self.groups);
        if items > 0 {
            self.counts.unsent += items;
            *self.counts.why.entry(why.to_owned()).or_default() += items;
        }
        self.groups.clear();
    }

    fn refused(&mut self, items: u64, why: String) {
        if items > 0 {
            self.counts.refused += items;
            *self.counts.why.entry(why).or_default() += items;
        }
    }
}

/// The number of items in groups.
pub(super) fn number_of<G: Group>(groups: &[G]) -> u64 {
    groups.iter().map(|group| group.items() as u64).sum()
}

fn halved<G: Group>(groups: &mut Vec<G>) -> Option<Vec<G>> {
    match groups.as_mut_slice() {
        [] => None,
        [group] => group.halve().map(|half| vec![half]),
        _ => Some(groups.split_off(groups.len() / 2)),
    }
}
