//! An order, and what makes one acceptable.

use serde::{Deserialize, Serialize};

/// One line of an order.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The shop's number of the article.
    pub sku: String,
    /// How many of it.
    pub quantity: u32,
    /// The price of one, in cents.
    pub price_cents: u64,
}

/// The company that a customer belongs to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// What it pays for.
    pub plan: String,
}

/// What a customer sends.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct NewOrder {
    /// Who orders.
    pub user_id: String,
    /// For whom, if not for themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Whether that is nobody: a robot of the tests.
    #[serde(default)]
    pub test: bool,
    /// What they want.
    pub items: Vec<Item>,
}

/// An order that was accepted: it has somebody to charge, something to send, and a total.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The order's own id.
    pub order_id: String,
    /// Who ordered.
    pub user_id: String,
    /// What they ordered.
    pub items: Vec<Item>,
    /// What it costs, in cents.
    pub total_cents: u64,
}

impl NewOrder {
    /// Accepts the order under this id.
    ///
    /// # Errors
    ///
    /// An order with nobody to charge or nothing to send.
    pub fn accept(self, order_id: String) -> Result<Order, InvalidOrder> {
        if self.user_id.trim().is_empty() {
            return Err(InvalidOrder::NoUser);
        }
        if self.items.is_empty() {
            return Err(InvalidOrder::NoItems);
        }
        let mut total_cents: u64 = 0;
        for item in &self.items {
            if item.quantity == 0 {
                return Err(InvalidOrder::NoQuantity(item.sku.clone()));
            }
            let price = item.price_cents.checked_mul(item.quantity.into());
            total_cents =
                price.and_then(|price| total_cents.checked_add(price)).ok_or(InvalidOrder::TooExpensive)?;
        }
        Ok(Order { order_id, user_id: self.user_id, items: self.items, total_cents })
    }
}

/// Why an order was turned down; the text is for the customer.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOrder {
    /// The request's body is missing, or not an order in JSON.
    #[error("the body must be JSON: {{user_id, items: [{{sku, quantity, price_cents}}]}}: {0}")]
    NotAnOrder(String),
    /// Nobody to charge.
    #[error("user_id is empty")]
    NoUser,
    /// Nothing to send.
    #[error("items is empty")]
    NoItems,
    /// An item with quantity 0.
    #[error("the quantity of {0} must be at least 1")]
    NoQuantity(String),
    /// The total does not fit a number.
    #[error("the order is too expensive")]
    TooExpensive,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(quantity: u32, price_cents: u64) -> Item {
        Item { sku: "mug".into(), quantity, price_cents }
    }

    fn order(user_id: &str, items: Vec<Item>) -> NewOrder {
        NewOrder { user_id: user_id.into(), account: None, test: false, items }
    }

    #[test]
    fn an_order_is_totalled() {
        let order = order("u-1", vec![item(2, 450), item(1, 100)]).accept("o-1".into()).expect("accepted");
        assert_eq!((order.order_id.as_str(), order.total_cents), ("o-1", 1_000));
    }

    #[test]
    fn what_cannot_be_charged_or_sent_is_turned_down() {
        let turned_down = |order: NewOrder| order.accept("o-1".into()).expect_err("turned down").to_string();

        assert_eq!(turned_down(order(" ", vec![item(1, 1)])), "user_id is empty");
        assert_eq!(turned_down(order("u-1", vec![])), "items is empty");
        assert_eq!(turned_down(order("u-1", vec![item(0, 1)])), "the quantity of mug must be at least 1");
        assert_eq!(turned_down(order("u-1", vec![item(2, u64::MAX)])), "the order is too expensive");
        assert_eq!(
            turned_down(order("u-1", vec![item(1, u64::MAX), item(1, 1)])),
            "the order is too expensive"
        );
    }

    #[test]
    fn an_order_comes_out_of_the_table_as_it_went_in() {
        let order = order("u-1", vec![item(2, 450)]).accept("o-1".into()).expect("accepted");
        let mut row: serde_dynamo::Item = serde_dynamo::to_item(&order).expect("a row");
        row.insert("status".to_owned(), serde_dynamo::AttributeValue::S("paid".to_owned()));
        assert_eq!(serde_dynamo::from_item::<_, Order>(row).expect("an order"), order);
    }

    proptest! {
        #[test]
        fn the_total_is_exact_or_refused(items in prop::collection::vec((1..=u32::MAX, any::<u64>()), 1..5)) {
            let exact: u128 = items.iter().map(|&(quantity, price)| u128::from(quantity) * u128::from(price)).sum();
            let items = items.into_iter().map(|(quantity, price)| item(quantity, price)).collect();
            let total = order("u-1", items).accept("o-1".into()).ok().map(|order| order.total_cents);
            prop_assert_eq!(total, u64::try_from(exact).ok());
        }
    }
}
