//! `throughline find`: which transaction does this id name?

use std::collections::BTreeSet;

use clap::Args;
use throughline_store::{By, Found};

use super::table::{Column, Table, plain, red};
use super::{Asked, Common, Told, harmless, when};

/// The members of the baggage by which the writer indexes runs, if it was told nothing else.
pub(super) const BAGGAGE: [&str; 1] = ["user.id"];

/// What `throughline find` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The id of a trace (a traceparent or X-Ray id too), a request, a message or a user, or a correlation id
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let answer = asked.answered(asked.reader.find(&self.id, &BAGGAGE).await)?;
        let found = &answer.found;
        let Some(first) = found.first() else {
            let lines = vec![format!("nothing has the id {}", harmless(&self.id))];
            return asked.tell(&answer, false, lines, &["traces", "--since", "24h"]);
        };
        let mut table = Table::new([
            Column::Text("time"),
            Column::Text("it is the"),
            Column::Text("of"),
            Column::Text(""),
            Column::Whole("trace"),
        ]);
        for Found { by, run } in found {
            let failed = if run.failed { red("failed") } else { plain("") };
            let time = when::brief(run.at, asked.now);
            table.row([plain(time), plain(what(by)), plain(&run.function), failed, plain(&run.trace_id)]);
        }
        let traces: BTreeSet<&str> = found.iter().map(|found| found.run.trace_id.as_str()).collect();
        let failed = found.iter().find(|found| found.run.failed).unwrap_or(first);
        let is_user = |found: &Found| matches!(&found.by, By::Baggage(key) if key == "user.id");
        let next: &[&str] = if traces.len() > 1 && found.iter().all(is_user) && !failed.run.failed {
            &["traces", "--user", &self.id]
        } else {
            &["trace", &failed.run.trace_id]
        };
        asked.tell(&answer, true, table.lines(asked.style), next)
    }
}

fn what(by: &By) -> String {
    match by {
        By::TraceId => "trace id".to_owned(),
        By::RequestId => "request id".to_owned(),
        By::CorrelationId => "correlation id".to_owned(),
        By::Message(name) => match name.rsplit_once(':') {
            Some((service, _)) => format!("{service} id"),
            None => "message id".to_owned(),
        },
        By::Baggage(key) => key.clone(),
    }
}
