//! A response as it is posted: serialized once, by us, so that the invocation span can say what was answered.

use std::fmt::{self, Debug};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::diagnostics::warn_once;
use crate::scope::Scope;

/// A handler's response that tells the invocation span its size and what it answers.
pub struct ObservedResponse<B> {
    /// `None` if there was no handler to give one.
    body: Option<B>,
    scope: Option<Scope>,
}

impl<B> ObservedResponse<B> {
    pub(super) fn new(body: B, scope: Option<Scope>) -> Self {
        Self { body: Some(body), scope }
    }

    /// The answer to a batch of which nothing failed: what Lambda polls for understands it, whatever it asks.
    pub(super) fn done(scope: Option<Scope>) -> Self {
        Self { body: None, scope }
    }
}

impl<B: Serialize> ObservedResponse<B> {
    fn json(&self) -> serde_json::Result<Box<RawValue>> {
        match &self.body {
            Some(body) => to_raw_value(body),
            None => to_raw_value(&serde_json::json!({ "batchItemFailures": [] })),
        }
    }
}

impl<B> Debug for ObservedResponse<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedResponse").finish_non_exhaustive()
    }
}

impl<B: Serialize> Serialize for ObservedResponse<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(scope) = &self.scope else {
            return match &self.body {
                Some(body) => body.serialize(serializer),
                None => self.json().map_err(S::Error::custom)?.serialize(serializer),
            };
        };
        // What the runtime would make of it: the same bytes, or the same error.
        let json = self.json().map_err(S::Error::custom)?;
        if catch_unwind(AssertUnwindSafe(|| scope.invocation().answer(json.get()))).is_err() {
            warn_once("tracing failed to read a response: its span doesn't say what was answered");
        }
        json.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::testing::scope;

    #[test]
    fn the_bytes_and_the_errors_are_those_without_us() {
        let scope = scope();
        let observed = |body| ObservedResponse::new(body, Some(scope.clone()));
        let text = "\u{2028}\u{7f}\"\\é".to_owned();
        assert_eq!(serde_json::to_vec(&observed(text.clone())).unwrap(), serde_json::to_vec(&text).unwrap());
        let unwritable = HashMap::from([((1, 2), 3)]);
        let (ours, theirs) = (
            serde_json::to_vec(&ObservedResponse::new(unwritable.clone(), Some(scope))),
            serde_json::to_vec(&unwritable),
        );
        assert_eq!(ours.unwrap_err().to_string(), theirs.unwrap_err().to_string());
    }
}
