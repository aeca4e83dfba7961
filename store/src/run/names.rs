//! The names by which a run is found: correlation ids, ids of messages, and the ids that join two spans where no context
//! could be carried (`throughline.join.out` of the sender equals `throughline.join.in` of the receiver).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Run;
use crate::schema::bounded;
use crate::span::{Kind, Span};

/// How many names of one run may end alike. They do where an id of one service is another's too.
const MAX_SAME: usize = 16;

/// A name of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// How the run came by it.
    pub way: Way,
    /// The whole name: `sqs:2e1424d4-…`. Of correlation ids and messages the id alone.
    pub name: String,
}

/// How a run came by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// It is the correlation id of its transaction.
    Correlation,
    /// It was called with it, or received the message.
    In,
    /// It called or sent, and this was the answer.
    Out,
}

/// All names of a run, and the trace of the span that has each, by what one looks for: the id alone.
pub(crate) fn names(run: &Run) -> BTreeMap<String, BTreeSet<(Name, String)>> {
    let mut names: BTreeMap<String, BTreeSet<(Name, String)>> = BTreeMap::new();
    let mut add = |span: &Span, way, name: &str| {
        if !name.is_empty() {
            let name = Name { way, name: normal(name).into_owned() };
            let same = names.entry(tail(&name.name).to_owned()).or_default();
            if same.len() < MAX_SAME {
                same.insert((name, bounded(&span.trace_id).into_owned()));
            }
        }
    };
    for span in &run.spans {
        let receives = span.source().is_some() || matches!(span.kind, Kind::Server | Kind::Consumer);
        if receives && let Some(id) = span.attribute("correlation.id") {
            add(span, Way::Correlation, id);
        }
        let ways = [("throughline.join.in", Way::In), ("throughline.join.out", Way::Out)];
        let joins = ways.map(|(name, way)| (list(span, name), way));
        for (ids, way) in &joins {
            ids.iter().for_each(|id| add(span, *way, id));
        }
        // What joins by it names the message already.
        if let Some(id) = span.attribute("messaging.message.id")
            && !joins.iter().any(|(ids, _)| ids.iter().any(|join| tail(join) == id))
        {
            add(span, if receives { Way::In } else { Way::Out }, id);
        }
    }
    names
}

/// The members of the baggage with these keys, and the trace of the span that has each.
pub(crate) fn baggage(run: &Run, keys: &[String]) -> BTreeSet<(String, String, String)> {
    let subjects = run.head().into_iter().chain(run.records());
    let members = subjects.flat_map(|span| {
        let member = |key: &String| {
            Some((key.clone(), bounded(span.member(key)?).into_owned(), bounded(&span.trace_id).into_owned()))
        };
        keys.iter().filter_map(member)
    });
    members.filter(|(_, value, _)| !value.is_empty()).collect()
}

/// The id in a name that says of what service it is: what stands after the last colon.
pub(crate) fn tail(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((_, id)) if !id.is_empty() => id,
        _ => name,
    }
}

/// A name as it is kept: with an id that is no longer than a key's.
pub(crate) fn normal(name: &str) -> Cow<'_, str> {
    match name.rsplit_once(':') {
        Some((service, id)) if !id.is_empty() => match (bounded(service), bounded(id)) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => Cow::Borrowed(name),
            (service, id) => Cow::Owned(format!("{service}:{id}")),
        },
        _ => bounded(name),
    }
}

/// The texts in a list.
pub(crate) fn list<'a>(span: &'a Span, name: &str) -> Vec<&'a str> {
    span.attribute(name).unwrap_or_default().split(", ").filter(|id| !id.is_empty()).collect()
}
