//! What a handler answered, as far as its trigger understands it.

use super::json::{self, shape};

/// An answer to an HTTP request, or to a batch.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// `statusCode` of an HTTP response.
    pub(crate) status: Option<u16>,
    /// The records that failed, by their ids, of a partial batch response. Empty where none failed.
    pub(crate) failures: Vec<String>,
}

shape! {
    struct Response {
        status_code: "statusCode",
        batch_item_failures: "batchItemFailures",
    }
}

shape! {
    struct Failure {
        item_identifier: "itemIdentifier",
    }
}

impl Answer {
    /// Reads the JSON that the runtime posts; what is no such answer says nothing.
    pub(crate) fn read(response: &str) -> Self {
        let response: Response<'_> = json::object(response).unwrap_or_default();
        let failures: Vec<Failure<'_>> = response.batch_item_failures.list().unwrap_or_default();
        let id = |failure: Failure<'_>| failure.item_identifier.text().unwrap_or_default().into_owned();
        Self {
            status: response.status_code.integer().and_then(|status| status.try_into().ok()),
            failures: failures.into_iter().map(id).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whatever_stands_beside() {
        let answer = |response: &str| Answer::read(response);
        assert_eq!(answer(r#"{"body":"{\"statusCode\":500}","statusCode":404}"#).status, Some(404));
        // API Gateway takes a status in quotes too.
        assert_eq!(answer(r#"{"statusCode":"201"}"#).status, Some(201));
        let partial = r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":null},{}]}"#;
        assert_eq!(answer(partial).failures, ["a", "", ""]);
        for nothing in
            ["", "null", "[]", "7", r#"{"statusCode":-1,"batchItemFailures":null}"#, r#"{"statusCode":1e9}"#]
        {
            assert_eq!(answer(nothing), Answer::default(), "{nothing}");
        }
    }
}
