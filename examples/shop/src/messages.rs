//! What the functions say to each other and to third parties.

use aws_lambda_events::sqs::SqsMessage;
use serde::{Deserialize, Serialize};

use crate::Order;

/// A demand for money, for the payment provider.
#[derive(Clone, Debug, Serialize)]
pub struct Charge<'a> {
    /// What for; a second charge with the same id must not cost twice.
    pub order_id: &'a str,
    /// From whom.
    pub user_id: &'a str,
    /// How much, in cents.
    pub amount_cents: u64,
}

/// A question to the fraud check: may this be charged?
#[derive(Clone, Debug, Serialize)]
pub struct Scoring<'a> {
    /// What for.
    pub order_id: &'a str,
    /// To whom.
    pub user_id: &'a str,
    /// How much, in cents.
    pub amount_cents: u64,
}

/// An e-mail to be sent: what queue `email` holds and the mail provider takes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Email {
    /// The address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The order that it is about, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The customer that it goes to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// Something that happened to an order, for stream `audit`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// The order.
    pub order_id: String,
    /// Whose it is.
    pub user_id: String,
    /// What happened, such as `fulfilled`.
    pub event: String,
}

/// A message that does not say what it should.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// A message without a body.
    #[error("the message has no body")]
    Empty,
    /// A body that is not what is expected.
    #[error("the message is not understood")]
    NotUnderstood(#[from] serde_json::Error),
}

/// The order in an SQS message: SNS wraps it in an envelope, unless raw delivery is switched on.
///
/// # Errors
///
/// A body that holds no order.
pub fn order_of(body: Option<&str>) -> Result<Order, MessageError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Envelope {
        message: String,
    }

    let body = body.ok_or(MessageError::Empty)?;
    match serde_json::from_str::<Envelope>(body) {
        Ok(envelope) => Ok(serde_json::from_str(&envelope.message)?),
        Err(_) => Ok(serde_json::from_str(body)?),
    }
}

/// How often the queue has given out this message, this time included.
#[must_use]
pub fn receives(message: &SqsMessage) -> Option<&str> {
    message.attributes.get("ApproximateReceiveCount").map(String::as_str)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::Item;

    fn orders() -> impl Strategy<Value = Order> {
        let item = (".*", any::<u32>(), any::<u64>());
        let item = item.prop_map(|(sku, quantity, price_cents)| Item { sku, quantity, price_cents });
        (".*", ".*", prop::collection::vec(item, 0..4), any::<u64>()).prop_map(
            |(order_id, user_id, items, total_cents)| Order { order_id, user_id, items, total_cents },
        )
    }

    proptest! {
        #[test]
        fn an_order_is_read_as_it_was_written(order in orders()) {
            let raw = serde_json::to_string(&order)?;
            let wrapped = json!({"Type": "Notification", "MessageId": "m-1", "Message": &raw}).to_string();
            prop_assert_eq!(order_of(Some(&raw))?, order.clone());
            prop_assert_eq!(order_of(Some(&wrapped))?, order);
        }

        #[test]
        fn any_other_body_is_refused(body in ".*") {
            prop_assert!(order_of(Some(&body)).is_err());
        }
    }

    #[test]
    fn a_body_that_only_looks_like_an_envelope_is_refused() {
        assert!(order_of(None).is_err());
        for body in [json!({"Message": 7}), json!({"Message": "hello"}), json!({"message": "{}"}), json!([])]
        {
            assert!(order_of(Some(&body.to_string())).is_err(), "{body}");
        }
    }

    #[test]
    fn an_email_of_nobody_in_particular_says_no_more_than_it_must() {
        let email = Email { to: "a@b".into(), subject: "Lunch".into(), order_id: None, user_id: None };
        let text = serde_json::to_string(&email).expect("JSON");
        assert_eq!(text, r#"{"to":"a@b","subject":"Lunch"}"#);
        assert_eq!(serde_json::from_str::<Email>(&text).expect("an e-mail"), email);
    }
}
