//! What the handler's answer says of the invocation: the status of a request, how many records of a batch failed.

use crate::span::Span;
use crate::triggers::{Answer, Answers};

/// Describes the JSON that is posted. The batch has so many records; `position` tells where in it one stands.
pub(super) fn describe(
    span: &mut Span,
    answers: Answers,
    response: &str,
    records: usize,
    position: impl Fn(&str) -> Option<usize>,
) {
    span.set("throughline.response_bytes", count(response.len()));
    match answers {
        Answers::Opaque => {}
        Answers::Response | Answers::ResponseOrBody => {
            let status = Answer::read(response).status;
            let otherwise = (answers == Answers::ResponseOrBody).then_some(200);
            if let Some(status) = status.or(otherwise) {
                describe_status(span, status);
            }
        }
        Answers::FailedMessages | Answers::FirstFailedRecord => {
            let failed = failed(answers, &Answer::read(response).failures, records, position);
            describe_batch(span, records - failed, failed);
        }
    }
}

/// Says that the handler gave no answer: a whole batch failed.
pub(super) fn describe_failure(span: &mut Span, answers: Answers, records: usize) {
    if matches!(answers, Answers::FailedMessages | Answers::FirstFailedRecord) {
        describe_batch(span, 0, records);
    }
}

/// The status of an HTTP response: 5xx is the server's failure, 4xx the client's
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status>).
pub(super) fn describe_status(span: &mut Span, status: u16) {
    span.set("http.response.status_code", i64::from(status));
    // What the program has said of its failure says more.
    if status >= 500 && span.failure().is_none() {
        let status = status.to_string();
        span.set("error.type", status.as_str());
        span.fail_quietly(&status, "");
    }
}

/// How many records Lambda takes for failed.
fn failed(
    answers: Answers,
    failures: &[String],
    records: usize,
    position: impl Fn(&str) -> Option<usize>,
) -> usize {
    let mut at = Vec::with_capacity(failures.len());
    for id in failures {
        match position(id) {
            Some(position) => at.push(position),
            // An id that is none of the batch's: Lambda takes the whole batch for failed.
            None => return records,
        }
    }
    at.sort_unstable();
    at.dedup();
    match answers {
        Answers::FirstFailedRecord => at.first().map_or(0, |first| records - first),
        _ => at.len(),
    }
}

fn describe_batch(span: &mut Span, succeeded: usize, failed: usize) {
    span.set("throughline.batch.succeeded", count(succeeded));
    span.set("throughline.batch.failed", count(failed));
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_as_lambda_counts_them() {
        use Answers::{FailedMessages, FirstFailedRecord};
        let failed = |answers, failures: &[&str]| {
            let failures: Vec<String> = failures.iter().map(|id| (*id).to_owned()).collect();
            failed(answers, &failures, 4, |id| ["a", "b", "c", "d"].iter().position(|known| *known == id))
        };
        assert_eq!(failed(FailedMessages, &[]), 0);
        assert_eq!(failed(FailedMessages, &["d", "b", "d"]), 2);
        assert_eq!(failed(FailedMessages, &["b", ""]), 4, "an empty id fails the batch");
        assert_eq!(failed(FailedMessages, &["x"]), 4, "so does a foreign one");
        assert_eq!(failed(FirstFailedRecord, &[]), 0);
        assert_eq!(failed(FirstFailedRecord, &["d", "b"]), 3, "from the lowest on");
        assert_eq!(failed(FirstFailedRecord, &["x"]), 4);
    }
}
