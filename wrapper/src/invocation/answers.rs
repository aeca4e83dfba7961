//! What the handler's answer says of the invocation: the status of a request, how many records of a batch failed.

use crate::span::Span;
use crate::triggers::{Answer, Partial, Reading};

/// How the answers of an invocation are to be understood.
#[derive(Debug)]
pub(super) enum Answers {
    Http,
    Batch {
        partial: Partial,
        records: usize,
    },
    /// Nothing is known of them.
    Other,
}

impl Answers {
    pub(super) fn of(reading: &Reading) -> Self {
        match reading.partial {
            Some(partial) => Self::Batch { partial, records: reading.records.len() },
            // What a resolver answers is data: a `statusCode` in it is the program's own.
            None if reading.trigger == "http" && !reading.source.starts_with("graphql ") => Self::Http,
            None => Self::Other,
        }
    }

    /// Describes the JSON that is posted; `position` tells where in the batch a record stands.
    pub(super) fn describe(&self, span: &mut Span, response: &str, position: impl Fn(&str) -> Option<usize>) {
        span.set("throughline.response_bytes", count(response.len()));
        match self {
            Self::Http => {
                if let Some(status) = Answer::read(response).status {
                    describe_status(span, status);
                }
            }
            Self::Batch { records, .. } => {
                let failed = self.failed(&Answer::read(response).failures, position);
                describe_batch(span, records - failed, failed);
            }
            Self::Other => {}
        }
    }

    /// Says that the handler gave no answer: the whole batch failed.
    pub(super) fn describe_failure(&self, span: &mut Span) {
        if let Self::Batch { records, .. } = self {
            describe_batch(span, 0, *records);
        }
    }

    /// How many records Lambda takes for failed.
    fn failed(&self, failures: &[String], position: impl Fn(&str) -> Option<usize>) -> usize {
        let Self::Batch { partial, records } = self else { return 0 };
        let mut at = Vec::with_capacity(failures.len());
        for id in failures {
            match position(id) {
                Some(position) => at.push(position),
                // An id that is none of the batch's: Lambda takes the whole batch for failed.
                None => return *records,
            }
        }
        at.sort_unstable();
        at.dedup();
        match partial {
            Partial::Each => at.len(),
            Partial::FromFirst => at.first().map_or(0, |first| records - first),
        }
    }
}

fn describe_batch(span: &mut Span, succeeded: usize, failed: usize) {
    span.set("throughline.batch.succeeded", count(succeeded));
    span.set("throughline.batch.failed", count(failed));
}

/// The status of an HTTP response: 5xx is the server's failure, 4xx the client's
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status>).
pub(super) fn describe_status(span: &mut Span, status: u16) {
    span.set("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.set("error.type", status.to_string());
        span.set_error("");
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(partial: Partial, failures: &[&str]) -> usize {
        let failures: Vec<String> = failures.iter().map(|id| (*id).to_owned()).collect();
        let position = |id: &str| ["a", "b", "c", "d"].iter().position(|known| *known == id);
        Answers::Batch { partial, records: 4 }.failed(&failures, position)
    }

    #[test]
    fn failures_are_counted_as_lambda_counts_them() {
        use Partial::{Each, FromFirst};
        assert_eq!(failed(Each, &[]), 0);
        assert_eq!(failed(Each, &["d", "b", "d"]), 2);
        assert_eq!(failed(Each, &["b", ""]), 4, "an empty id fails the batch");
        assert_eq!(failed(Each, &["x"]), 4, "so does a foreign one");
        assert_eq!(failed(FromFirst, &[]), 0);
        assert_eq!(failed(FromFirst, &["d", "b"]), 3, "from the lowest on");
        assert_eq!(failed(FromFirst, &["x"]), 4);
    }
}
