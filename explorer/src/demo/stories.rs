//! Which delivery belongs to which order.

use std::collections::{BTreeMap, HashMap};

use super::judge::Story;
use super::ledger::content;
use super::orders::Sent;
use crate::mappings::Delivery;

/// The stories of the orders, then those of everything else that began outside.
pub(super) fn stories<'a>(orders: &'a [Sent], deliveries: &'a [Delivery]) -> Vec<Story<'a>> {
    let mut stories: Vec<Story<'_>> =
        orders.iter().map(|order| Story { began: &order.request_id, deliveries: Vec::new() }).collect();
    let others = deliveries.iter().filter(|delivery| {
        // Only the front and the scheduler deliver records that have no id.
        delivery.records.iter().all(|record| record.id.is_none())
            && orders.iter().all(|order| order.request_id != delivery.request_id)
    });
    stories.extend(others.map(|delivery| Story { began: &delivery.request_id, deliveries: Vec::new() }));
    let by_id: HashMap<&str, usize> = orders
        .iter()
        .enumerate()
        .filter_map(|(position, order)| Some((order.order_id.as_deref()?, position)))
        .collect();
    let began: HashMap<&str, usize> =
        stories.iter().enumerate().map(|(position, story)| (story.began, position)).collect();
    for delivery in deliveries {
        let mut positions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (position, record) in delivery.records.iter().enumerate() {
            let story = match &record.id {
                None => began.get(delivery.request_id.as_str()).copied(),
                // What names no order is of the only other kind.
                Some(_) => order_of(&by_id, &content(record)).or_else(|| stories.len().checked_sub(1)),
            };
            if let Some(story) = story {
                positions.entry(story).or_default().push(position);
            }
        }
        for (story, positions) in positions {
            stories[story].deliveries.push((delivery, positions));
        }
    }
    stories
}

/// The request ids with which these stories began.
pub(super) fn began(orders: &[Sent], deliveries: &[Delivery]) -> Vec<String> {
    stories(orders, deliveries).iter().map(|story| story.began.to_owned()).collect()
}

/// The order whose id is a word of `content`.
fn order_of(by_id: &HashMap<&str, usize>, content: &str) -> Option<usize> {
    let words = content.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter_map(|word| by_id.get(word)).next().copied()
}

/// Facts for tests.
#[cfg(test)]
pub(super) mod testing {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::mappings::{Delivered, Fate};

    pub(in crate::demo) fn sent(number: usize) -> Sent {
        Sent {
            number,
            user: "u-1042".into(),
            dry_run: false,
            status: StatusCode::ACCEPTED,
            request_id: format!("r-{number}"),
            order_id: Some(format!("o-{number}")),
        }
    }

    pub(in crate::demo) fn delivery(
        function: &str,
        request_id: &str,
        records: &[(Option<&str>, &str)],
    ) -> Delivery {
        let delivered = records.iter().map(|(id, body)| Delivered {
            id: id.map(str::to_owned),
            record: json!({ "body": body }),
            fate: Fate::Done,
        });
        Delivery {
            function: function.into(),
            request_id: request_id.into(),
            records: delivered.collect(),
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{delivery, sent};
    use super::*;

    #[test]
    fn records_go_to_the_order_that_they_name_and_the_rest_to_the_schedule() {
        let orders = [sent(0), sent(1)];
        let deliveries = [
            delivery("checkout-api", "r-0", &[(None, "{}")]),
            delivery("checkout-api", "r-1", &[(None, "{}")]),
            delivery("lunchbot", "r-2", &[(None, "{}")]),
            delivery(
                "email-sender",
                "r-3",
                &[
                    (Some("a"), r#"{"order_id":"o-1"}"#),
                    (Some("b"), r#"{"Message":"{\"order_id\":\"o-0\"}"}"#),
                    (Some("c"), r#"{"subject":"Lunch"}"#),
                ],
            ),
        ];
        let stories = stories(&orders, &deliveries);
        assert_eq!(stories.len(), 3);
        let told: Vec<(&str, Vec<&[usize]>)> = stories
            .iter()
            .map(|story| (story.began, story.deliveries.iter().map(|(_, at)| at.as_slice()).collect()))
            .collect();
        assert_eq!(
            told,
            [("r-0", vec![&[0][..], &[1]]), ("r-1", vec![&[0][..], &[0]]), ("r-2", vec![&[0][..], &[2]]),]
        );
    }
}
