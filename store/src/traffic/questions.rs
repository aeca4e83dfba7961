//! Every question of the explorer, asked of a table that holds traffic, with what it took.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::query::bound;
use crate::time::Window;
use crate::{Answer, Card, Error, Filter, Reader, Transaction};

/// How many are listed: a page.
const PAGE: usize = 50;

/// A question that was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which.
    pub question: &'static str,
    /// How many requests it took.
    pub requests: u64,
    /// How many it may take.
    pub bound: u64,
    /// How long it took.
    pub took: Duration,
    /// The answer.
    pub answer: Value,
}

/// What somebody has in hand who asks.
#[derive(Clone, Debug)]
pub struct Known {
    failure: Card,
    user: String,
    message: String,
    transaction: Transaction,
}

/// What is known of one of the newest failures, the `nth`: of the function that failed most in the window.
///
/// # Errors
///
/// When the table can't be read.
pub async fn known(reader: &Reader, window: Window, nth: usize) -> Result<Option<Known>, Error> {
    let functions = reader.functions(window, &Filter::default()).await?.found;
    let Some(worst) = functions.into_iter().max_by_key(|row| row.now.figures.failures) else {
        return Ok(None);
    };
    let failures = reader.failures(&worst.function, window, &Filter::default(), PAGE).await?.found;
    let Some(failure) = failures.get(nth % failures.len().max(1)).cloned() else { return Ok(None) };
    let transaction = reader.transaction(&failure.trace_id).await?.found;
    let message = transaction.spans.iter().find_map(|span| span.attribute("messaging.message.id"));
    let message = message.unwrap_or_default().to_owned();
    Ok(Some(Known { user: failure.user.clone().unwrap_or_default(), failure, message, transaction }))
}

/// Asks everything that has `only` in its name.
///
/// # Errors
///
/// When the table can't be read.
pub async fn ask_all(
    reader: &Reader,
    window: Window,
    known: &Known,
    only: &str,
) -> Result<Vec<Asked>, Error> {
    let Known { failure, user, message, transaction } = known;
    let (function, trace) = (failure.function.as_str(), failure.trace_id.as_str());
    let correlation = failure.correlation_id.as_deref().unwrap_or_default();
    let any = Filter::default();
    let by_entry = Filter { entry: failure.entry.clone(), ..any.clone() };
    let by_user = Filter { user: Some(user.clone()), ..any.clone() };
    let by_build = Filter { build: failure.build.clone(), failed: Some(false), ..any.clone() };
    let by_error = Filter { error: failure.error.as_ref().map(|error| error.kind.clone()), ..any.clone() };
    let counted = bound::counted(window);
    let (list, found) = (bound::list(window), bound::find(1));
    let (transactions, of) = (bound::transactions(window), bound::TRANSACTIONS_OF);
    let failed = Filter { failed: Some(true), ..any.clone() };
    let find = |text| reader.find(text, &["user.id"]);
    let mut questions = Questions { only, asked: Vec::new() };
    questions.time("transactions", transactions, reader.transactions(window, &any, PAGE)).await?;
    questions
        .time("transactions of an entry", transactions, reader.transactions(window, &by_entry, PAGE))
        .await?;
    questions.time("transactions of a user", of, reader.transactions(window, &by_user, PAGE)).await?;
    questions
        .time(
            "transactions that failed",
            bound::transactions_that_failed(window),
            reader.transactions(window, &failed, PAGE),
        )
        .await?;
    questions.time("runs", list, reader.runs(function, window, &any, PAGE)).await?;
    questions
        .time("runs of a build that went well", list, reader.runs(function, window, &by_build, PAGE))
        .await?;
    questions.time("runs of a user", list, reader.runs(function, window, &by_user, PAGE)).await?;
    questions
        .time("failures", bound::failures(window), reader.failures(function, window, &any, PAGE))
        .await?;
    questions
        .time("failures by type", bound::failures(window), reader.failures(function, window, &by_error, PAGE))
        .await?;
    questions
        .time("with_baggage", bound::WITH_BAGGAGE, reader.with_baggage("user.id", user, window, PAGE))
        .await?;
    questions.time("find a trace", found, find(trace)).await?;
    questions.time("find a request", found, find(&failure.request_id)).await?;
    questions.time("find a correlation id", found, find(correlation)).await?;
    questions.time("find a message", found, find(message)).await?;
    questions.time("find a user", found, find(user)).await?;
    questions.time("transaction", bound::TRANSACTION, reader.transaction(trace)).await?;
    questions.time("export", bound::TRANSACTION, reader.export(trace)).await?;
    questions.time("logs", bound::LOGS, reader.logs(&transaction.runs)).await?;
    questions.time("last_good", bound::LAST_GOOD, reader.last_good(transaction)).await?;
    questions.time("same_items", bound::SAME_ITEMS, reader.same_items(transaction)).await?;
    questions.time("impact", bound::impact(window), reader.impact(function, window, &any)).await?;
    questions.time("errors", bound::errors(window), reader.errors(window, &any)).await?;
    questions.time("errors of an entry", bound::errors(window), reader.errors(window, &by_entry)).await?;
    questions.time("functions", counted, reader.functions(window, &any)).await?;
    questions.time("rates", counted, reader.rates(window, &any)).await?;
    questions.time("map", counted, reader.map(window)).await?;
    Ok(questions.asked)
}

/// Those that were asked so far.
struct Questions<'a> {
    only: &'a str,
    asked: Vec<Asked>,
}

impl Questions<'_> {
    async fn time<T: Serialize>(
        &mut self,
        question: &'static str,
        bound: u64,
        answer: impl Future<Output = Result<Answer<T>, Error>>,
    ) -> Result<(), Error> {
        if !question.contains(self.only) {
            return Ok(());
        }
        let begun = Instant::now();
        let answer = answer.await?;
        let took = begun.elapsed();
        let requests = answer.requests;
        let answer = serde_json::to_value(&answer).map_err(|error| Error::Spans(error.to_string()))?;
        self.asked.push(Asked { question, requests, bound, took, answer });
        Ok(())
    }
}
