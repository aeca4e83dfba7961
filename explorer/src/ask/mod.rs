//! What the store is asked in the terminal. Each question is a room; each answers people with text that fits the
//! terminal and ends with the next useful command, and programs with one JSON object.

mod beside;
mod causes;
mod clocks;
mod errors;
mod filters;
mod find;
mod flag;
mod functions;
mod impact;
mod killed;
mod lines;
mod logs;
mod map;
mod meant;
mod named;
mod story;
mod table;
mod trace;
mod traces;
mod unanswered;
pub(crate) mod when;
mod words;

use std::time::SystemTime;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use throughline_store::time::millis;
use throughline_store::{Answer, Reader};

use filters::Narrow;
pub(crate) use story::Story;
pub(crate) use words::{counted, harmless, harmless_json};

use crate::columns::{folded, wrapped};
use crate::connection::{self, Connection, Missing};
use crate::trace::Style;

/// Where the help tells what an answer looks like.
const ANSWER: &str = "Answer";
/// Damaged items that are told one by one.
const TOLD: usize = 3;
/// Functions that are named of those that were left out.
const NAMED: usize = 20;

/// What all questions have in common.
#[derive(Debug, Clone, Args)]
pub struct Common {
    #[command(flatten)]
    connection: connection::Options,

    /// Answer with one JSON object; a question that can't be answered with {"error": …}
    #[arg(long, help_heading = ANSWER)]
    json: bool,
}

/// A question.
#[derive(Debug, Clone)]
pub enum Question<'a> {
    /// Which transaction does this text name?
    Find(&'a FindOptions),
    /// Which transactions were there?
    Traces(&'a TracesOptions),
    /// What happened in one?
    Trace(&'a TraceOptions),
    /// What was logged?
    Logs(&'a LogsOptions),
    /// What do the failures of a function break?
    Impact(&'a ImpactOptions),
    /// What fails?
    Errors(&'a ErrorsOptions),
    /// What do the functions do?
    Functions(&'a FunctionsOptions),
    /// Who calls whom?
    Map(&'a MapOptions),
}

pub use errors::Options as ErrorsOptions;
pub use find::Options as FindOptions;
pub use functions::Options as FunctionsOptions;
pub use impact::Options as ImpactOptions;
pub use logs::Options as LogsOptions;
pub use map::Options as MapOptions;
pub use trace::Options as TraceOptions;
pub use traces::Options as TracesOptions;

/// Asks, and tells the answer on stdout; whether anything was found.
///
/// # Errors
///
/// When there is no store, it can't be read, or the question makes no sense.
pub async fn run(question: Question<'_>) -> anyhow::Result<bool> {
    let common = question.common();
    let connection = common.connection.connect(Missing::Refuse).await?;
    let style = Style::of_terminal();
    let told = question.ask(&connection, style).await?;
    let text = if common.json { harmless_json(&told.json.to_string()) + "\n" } else { told.whole(style) };
    crate::stdout::tell(&text)?;
    Ok(told.is_found)
}

/// Why there is no answer, as one JSON object on a line.
#[must_use]
pub fn refusal(error: &str) -> String {
    harmless_json(&json!({ "error": error }).to_string()) + "\n"
}

/// Asks a store that is open; the answer for people.
///
/// # Errors
///
/// When the store can't be read, or the question makes no sense.
pub(crate) async fn text(question: Question<'_>, store: &Connection, style: Style) -> anyhow::Result<String> {
    Ok(question.ask(store, style).await?.whole(style))
}

impl Question<'_> {
    fn common(&self) -> &Common {
        match self {
            Question::Find(options) => &options.common,
            Question::Traces(options) => &options.common,
            Question::Trace(options) => &options.common,
            Question::Logs(options) => &options.common,
            Question::Impact(options) => &options.common,
            Question::Errors(options) => &options.common,
            Question::Functions(options) => &options.common,
            Question::Map(options) => &options.common,
        }
    }

    async fn ask(&self, connection: &Connection, style: Style) -> anyhow::Result<Told> {
        let now = SystemTime::now();
        let asked = Asked { reader: connection.store.reader(now), connection, now: millis(now), style };
        let mut told = self.ask_one(&asked).await?;
        if let Some((question, narrow)) = self.narrow().filter(|_| !told.is_found) {
            asked.unanswered(&mut told, self.function(), narrow);
            asked.hint(&mut told, question, self.function(), narrow).await?;
        }
        Ok(told)
    }

    async fn ask_one(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        match self {
            Question::Find(options) => options.ask(asked).await,
            Question::Traces(options) => options.ask(asked).await,
            Question::Trace(options) => options.ask(asked).await,
            Question::Logs(options) => options.ask(asked).await,
            Question::Impact(options) => options.ask(asked).await,
            Question::Errors(options) => options.ask(asked).await,
            Question::Functions(options) => options.ask(asked).await,
            Question::Map(options) => options.ask(asked).await,
        }
    }

    /// What it is called, and of which runs it is asked.
    fn narrow(&self) -> Option<(&'static str, &Narrow)> {
        Some(match self {
            Question::Find(_) | Question::Trace(_) => return None,
            Question::Traces(options) => ("traces", &options.narrow),
            Question::Logs(options) => ("logs", &options.narrow),
            Question::Impact(options) => ("impact", &options.narrow),
            Question::Errors(options) => ("errors", &options.narrow),
            Question::Functions(options) => ("functions", &options.narrow),
            Question::Map(options) => ("map", &options.narrow),
        })
    }

    /// Of which function it is asked, if it is of one.
    fn function(&self) -> Option<&str> {
        let name = match self {
            Question::Impact(options) => options.name.as_deref(),
            _ => None,
        };
        name.or_else(|| self.narrow()?.1.filters.function.as_deref())
    }
}

/// Who is asked, and when.
struct Asked<'a> {
    reader: Reader,
    connection: &'a Connection,
    /// In milliseconds since 1970.
    now: u64,
    style: Style,
}

/// An answer, for people and for programs.
struct Told {
    is_found: bool,
    text: String,
    /// The next command; none below a document.
    next: Option<String>,
    json: Value,
}

impl Told {
    /// For people.
    fn whole(&self, style: Style) -> String {
        let next = self.next.iter().map(|next| style.dim(&format!("next: {next}")) + "\n");
        self.text.clone() + &next.collect::<String>()
    }
}

impl Asked<'_> {
    /// What the store answered, or why it did not.
    fn answered<T>(&self, answer: Result<Answer<T>, throughline_store::Error>) -> anyhow::Result<Answer<T>> {
        answer.map_err(|error| self.connection.explained(&error))
    }

    /// Puts an answer together of a question about some runs and some time: the next command asks of the same.
    fn tell_within<T: Serialize>(
        &self,
        answer: &Answer<T>,
        is_found: bool,
        lines: Vec<String>,
        next: &[&str],
        words: &[String],
    ) -> anyhow::Result<Told> {
        let next: Vec<&str> = next.iter().copied().chain(words.iter().map(String::as_str)).collect();
        self.tell(answer, is_found, lines, &next)
    }

    /// Something for those who look for it, in as many lines as it takes.
    fn note(&self, lines: &mut Vec<String>, text: &str) {
        lines.extend(wrapped(text, self.style.width).iter().map(|line| self.style.dim(line)));
    }

    /// Of which functions failures were left out, and what asks for those.
    fn note_left_out(&self, lines: &mut Vec<String>, left_out: &[String], question: &str, words: &[String]) {
        let Some(first) = left_out.first() else { return };
        let mut names = left_out.iter().take(NAMED).map(|name| harmless(name)).collect::<Vec<_>>().join(", ");
        if left_out.len() > NAMED {
            names +=
                &format!(" and {} (--json)", counted((left_out.len() - NAMED) as u64, "other", "others"));
        }
        let command = [question, "--function", first.as_str()].into_iter();
        let command: Vec<&str> = command.chain(words.iter().map(String::as_str)).collect();
        let text = format!("also failed, not all listed: {names} ({})", self.connection.command(&command));
        lines.extend(wrapped(&text, self.style.width).iter().map(|line| self.style.amber(line)));
    }

    /// Puts an answer together: its lines, how far it can be relied upon, and the next command.
    fn tell<T: Serialize>(
        &self,
        answer: &Answer<T>,
        is_found: bool,
        lines: Vec<String>,
        next: &[&str],
    ) -> anyhow::Result<Told> {
        let next = self.connection.command(next);
        let mut json = serde_json::to_value(answer)?;
        if let Value::Object(members) = &mut json {
            members.insert("next".to_owned(), json!(next));
        }
        let mut lines = lines;
        if answer.at_least {
            let more = "there is more than could be read: all counts are \"at least\"";
            lines.extend(wrapped(more, self.style.width).iter().map(|line| self.style.amber(line)));
        }
        let damaged = answer.damaged.len();
        if damaged > 0 {
            let told = counted(damaged as u64, "item could not be read", "items could not be read");
            lines.push(self.style.amber(&format!("{told}:")));
            let items = answer.damaged.iter().take(TOLD);
            let items = items.map(|item| harmless(&format!("  {}: {}", item.key, item.why)));
            lines.extend(items.flat_map(|item| folded(&item, self.style.width)));
        }
        let text = lines.into_iter().map(|line| line + "\n").collect();
        Ok(Told { is_found, text, next: Some(next), json })
    }
}
