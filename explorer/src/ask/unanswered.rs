//! Where nobody answered with an HTTP status of servers: whoever failed may have answered nothing.

use serde_json::json;

use super::filters::{Narrow, Reads};
use super::{Asked, Told};
use crate::columns::wrapped;

/// What the caller gets then is up to the gateway, and in no span.
const HINT: &str = "a function that failed without an answer has no HTTP status, whatever its caller was told: --failed asks for it";

impl Asked<'_> {
    /// Adds to an answer that nothing was found for such a status what to ask instead. `function` is one that the question
    /// is about.
    pub(super) fn unanswered(&self, told: &mut Told, function: Option<&str>, narrow: &Narrow) {
        if narrow.filters.http_status.is_none_or(|status| status < 500) {
            return;
        }
        told.text += &(wrapped(HINT, self.style.width).join("\n") + "\n");
        let mut next = vec!["traces", "--failed"];
        next.extend(function.into_iter().flat_map(|function| ["--function", function]));
        let words = narrow.words_but(Reads::Runs, &["--http-status", "--failed", "--function"]);
        next.extend(words.iter().map(String::as_str));
        let next = self.connection.command(&next);
        told.json["next"] = json!(next);
        told.next = Some(next);
    }
}
