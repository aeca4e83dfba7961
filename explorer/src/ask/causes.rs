//! Where failures come from, for people.

use throughline_store::{Card, Cause, ErrorGroup, Impact, OpenCall, Upstream, last_name};

use super::errors::in_a_line;
use super::harmless;
use super::words::counted;
use crate::trace::NOT_ENDED;

/// For each error that may be a symptom, what it may be one of, and what had not ended when time ran out. Of what failed
/// before in the transaction nobody can tell whether it matters: a picture that was not found is seldom why a mail was not
/// sent.
pub(super) fn causes(impact: &Impact) -> Vec<String> {
    let mut told = Vec::new();
    for group in &impact.errors {
        if group.unread {
            told.push(format!(
                "cause of {}{}: not known, its spans can't be read",
                kind(&group.example),
                newest_of(group)
            ));
            continue;
        }
        let open = group.open_call.as_ref().map(not_ended);
        let of =
            if impact.errors.len() > 1 { format!(" of {}", kind(&group.example)) } else { String::new() };
        match (&group.cause, open) {
            (Some(cause), open) if cause.way == Upstream::Below => {
                let open = open.map(|open| format!("; {open}")).unwrap_or_default();
                told.push(format!("cause of {}{open}", upstream(group, cause)));
            }
            (cause, open) => {
                told.extend(open.map(|open| format!("cause{of}: its own, while {open}")));
                let call = group.failed_call.as_ref();
                let call = call.map(|call| format!("; or what failed in it: {}", said(call)));
                let perhaps = |cause| format!("perhaps the cause of {}", upstream(group, cause));
                told.extend(cause.as_ref().map(|cause| perhaps(cause) + &call.unwrap_or_default()));
            }
        }
    }
    if told.is_empty() {
        let newest = impact.errors.first().map(newest_of).unwrap_or_default();
        told.push(format!("cause: its own; nothing failed earlier{newest}"));
    }
    told.iter().map(|text| harmless(text)).collect()
}

fn upstream(group: &ErrorGroup, cause: &Cause) -> String {
    let how = match cause.way {
        Upstream::Before => "failed before",
        Upstream::Below => "failed below",
    };
    let Cause { function, name, .. } = cause;
    format!("{}{}: {function} {name} {how}: {}", kind(&group.example), newest_of(group), error(cause))
}

/// Of which failure a cause is told: of each error one transaction is read.
fn newest_of(group: &ErrorGroup) -> String {
    if group.count > 1 { format!(", in the newest of {}", group.count) } else { String::new() }
}

/// A call, and what it failed with.
fn said(call: &Cause) -> String {
    format!("{} {}: {}", call.function, call.name, error(call))
}

/// In the midst of a sentence, after a colon.
fn error(cause: &Cause) -> String {
    in_a_line(&cause.error).replacen(": ", " ", 1)
}

/// What ran out of time, as the tree has it.
fn not_ended(call: &OpenCall) -> String {
    let others = match call.others {
        0 => String::new(),
        others => format!(" and {}", counted(others, "other call", "other calls")),
    };
    format!("{}{others} had {NOT_ENDED}", call.name)
}

fn kind(card: &Card) -> &str {
    card.error.as_ref().map_or("the failure", |error| last_name(&error.kind))
}
