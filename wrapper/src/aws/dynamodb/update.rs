//! An update that also writes the attribute `_throughline`.

use std::collections::HashMap;

use super::expression::{mentions, with_assignment};
use super::item::{Item, Mark};
use crate::aws::outcome::Skipped;
use crate::propagation::MEMBER;

/// The longest expression that DynamoDB takes, in bytes.
const MAX_EXPRESSION: usize = 4096;

/// A changed update: found possible before anything is changed.
#[derive(Debug, PartialEq)]
pub(super) struct Update {
    expression: String,
    name: String,
    value: String,
}

impl Update {
    /// Plans the change of an update with this expression, these names and values, and this condition.
    pub(super) fn plan(
        expression: Option<&str>,
        names: Option<&HashMap<String, String>>,
        values: Option<&Item>,
        condition: Option<&str>,
    ) -> Result<Self, Skipped> {
        // An empty one stays the error that it is.
        if expression.is_some_and(|expression| expression.trim().is_empty()) {
            return Err(Skipped::NoExpression);
        }
        let written = expression.unwrap_or_default();
        if names.is_some_and(|names| names.values().any(|name| name == MEMBER)) || mentions(written, MEMBER) {
            return Err(Skipped::CallerSet);
        }
        let is_free = |placeholder: &str, defined: bool| {
            !defined
                && !mentions(written, placeholder)
                && !mentions(condition.unwrap_or_default(), placeholder)
        };
        let name =
            free("#throughline", |name| is_free(name, names.is_some_and(|names| names.contains_key(name))));
        let value = free(":throughline", |name| {
            is_free(name, values.is_some_and(|values| values.contains_key(name)))
        });
        let assignment = format!("{name} = {value}");
        let expression = match expression {
            Some(expression) => with_assignment(expression, &assignment),
            None => format!("SET {assignment}"),
        };
        if expression.len() > MAX_EXPRESSION {
            return Err(Skipped::TooLarge);
        }
        Ok(Self { expression, name, value })
    }

    /// Gives the expression, and the meaning of its new placeholders to `names` and `values`.
    pub(super) fn apply(self, mark: &Mark, names: &mut HashMap<String, String>, values: &mut Item) -> String {
        names.insert(self.name, MEMBER.to_owned());
        values.insert(self.value, mark.value());
        self.expression
    }
}

/// `name`, or the first of `name2`, `name3` … that is free.
fn free(name: &str, is_free: impl Fn(&str) -> bool) -> String {
    let numbered = (2_usize..).map(|number| format!("{name}{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| is_free(name))
        .unwrap_or_else(|| name.to_owned())
}
