//! What the world outside saw of an order: the table, the payment provider, the mail provider.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cloud::DynamoDb;

/// Who could see an order.
pub(super) const OUTSIDE: [&str; 3] = ["table", "payment provider", "mail provider"];

/// The bodies of the requests that came to a third party, by its path.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Vec<(String, String)>>>);

impl Asked {
    pub(super) fn note(&self, path: &str, body: &[u8]) {
        let body = String::from_utf8_lossy(body).into_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), body));
    }
}

/// What is told of once everything has settled.
#[derive(Debug, Clone)]
pub(super) struct Effects {
    pub dynamodb: DynamoDb,
    pub asked: Asked,
}

impl Effects {
    /// Who saw what: the table's items and the requests to third parties, as text.
    pub(super) fn read(&self) -> anyhow::Result<Seen> {
        let [table, payment, mail] = OUTSIDE;
        let DynamoDb(database) = &self.dynamodb;
        let request = serde_json::from_value(json!({ "TableName": "orders" }))?;
        let found = database.scan(request).map_err(|e| anyhow!("table orders: {e}"))?;
        let found = serde_json::to_value(&found)?;
        let rows = found["Items"].as_array().into_iter().flatten().map(Value::to_string);
        let mut seen: Seen = Seen(rows.map(|row| (table, row)).collect());
        for (path, body) in self.asked.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let who = if path == "/charges" { payment } else { mail };
            seen.0.push((who, body.clone()));
        }
        Ok(seen)
    }
}

/// Who saw what.
#[derive(Debug, Default)]
pub(super) struct Seen(pub(super) Vec<(&'static str, String)>);

impl Seen {
    /// Who saw the order of that id.
    pub(super) fn by(&self, order_id: &str) -> Vec<&'static str> {
        let mut who: Vec<_> =
            self.0.iter().filter(|(_, what)| what.contains(order_id)).map(|(who, _)| *who).collect();
        who.sort_unstable();
        who.dedup();
        who
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_seen_by_whoever_was_told_its_id() {
        let seen = [
            ("table", "o-1"),
            ("mail provider", "{\"order_id\":\"o-1\"}"),
            ("table", "o-1 again"),
            ("table", "o-2"),
        ];
        let seen = Seen(seen.map(|(who, what)| (who, what.to_owned())).to_vec());
        assert_eq!(seen.by("o-1"), ["mail provider", "table"]);
        assert!(seen.by("o-3").is_empty());
    }
}
