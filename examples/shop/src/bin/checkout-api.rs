//! Takes an order: `POST /orders` → SNS `orders`.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderValue, header::CONTENT_TYPE};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use throughline_shop::{
    Account, InvalidOrder, NewOrder, Order, Provider, Scoring, clients, fail_if_asked, has_bug, setting,
};
use uuid::Uuid;

struct Checkout {
    sns: aws_sdk_sns::Client,
    orders_topic: String,
    /// Who knows it may ask for a dry run; nobody, if there is none.
    dry_run_key: Option<String>,
    fraud: Option<Provider>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    if has_bug("slow-start") {
        // The bug: the whole catalogue is read at every start, though nobody asks for it.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    }
    let config = clients::aws_config().await;
    throughline::dry_run::accept();
    let checkout = Checkout {
        sns: clients::sns(&config),
        orders_topic: setting("ORDERS_TOPIC_ARN")?,
        dry_run_key: setting("DRY_RUN_KEY").ok(),
        fraud: setting("FRAUD_PROVIDER_URL").ok().map(|url| Provider::new(&url)).transpose()?,
    };
    throughline::run(service_fn(|event| checkout.handle(event))).await
}

impl Checkout {
    async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayV2httpRequest>,
    ) -> Result<ApiGatewayV2httpResponse, Error> {
        fail_if_asked("checkout-api")?;
        if asks_for_dry_run(&event.payload, self.dry_run_key.as_deref()) {
            throughline::context::set_dry_run();
        }
        let (order, on_behalf) = match read_order(&event.payload) {
            Ok(read) => read,
            Err(invalid) => return Ok(reply(400, &json!({ "error": invalid.to_string() }))),
        };
        tracing::debug!(order_id = order.order_id, items = order.items.len(), "order read");
        // From here on every function that this order reaches knows whose it is.
        throughline::context::set_user(&order.user_id);
        if on_behalf.test {
            throughline::context::set_test_user();
        }
        if let Some(Account { id, plan }) = &on_behalf.account {
            throughline::context::set_account(id, plan);
        }
        self.score(&order).await;
        self.publish(&order).await?;
        tracing::info!(order_id = order.order_id, total_cents = order.total_cents, "order accepted");

        let correlation_id = throughline::context::correlation_id();
        Ok(reply(202, &json!({ "order_id": order.order_id, "correlation_id": correlation_id })))
    }

    /// Has the order looked at by the fraud check, which tells the payment provider what it found.
    async fn score(&self, order: &Order) {
        let Some(fraud) = &self.fraud else { return };
        let Order { order_id, user_id, total_cents, .. } = order;
        // The bug: where the check fails, the order goes on all the same, and nobody hears of it.
        let _ = fraud.post(order_id, &Scoring { order_id, user_id, amount_cents: *total_cents }).await;
    }

    async fn publish(&self, order: &Order) -> Result<(), Error> {
        let message = serde_json::to_string(order)?;
        self.sns.publish().topic_arn(&self.orders_topic).message(message).send().await?;
        Ok(())
    }
}

/// Whether the request has the key. Where an authorizer knows who calls, ask what it says instead.
fn asks_for_dry_run(request: &ApiGatewayV2httpRequest, key: Option<&str>) -> bool {
    let given = request.headers.get("x-dry-run-key").map(HeaderValue::as_bytes);
    key.is_some_and(|key| given == Some(key.as_bytes()))
}

/// On whose behalf an order is, beside its user.
#[derive(Debug)]
struct OnBehalf {
    account: Option<Account>,
    test: bool,
}

fn read_order(request: &ApiGatewayV2httpRequest) -> Result<(Order, OnBehalf), InvalidOrder> {
    let not_an_order = |error: &dyn std::error::Error| InvalidOrder::NotAnOrder(error.to_string());

    let mut body = request.body.clone().unwrap_or_default().into_bytes();
    if request.is_base64_encoded {
        body = BASE64_STANDARD.decode(body).map_err(|error| not_an_order(&error))?;
    }
    let order: NewOrder = serde_json::from_slice(&body).map_err(|error| not_an_order(&error))?;
    let on_behalf = OnBehalf { account: order.account.clone(), test: order.test };
    Ok((order.accept(Uuid::new_v4().to_string())?, on_behalf))
}

fn reply(status: u16, body: &Value) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = status.into();
    response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.body = Some(body.to_string().into());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{"user_id": "u-1", "items": [{"sku": "mug", "quantity": 2, "price_cents": 450}]}"#;

    fn request(body: Option<&str>, is_base64_encoded: bool) -> ApiGatewayV2httpRequest {
        let mut request = ApiGatewayV2httpRequest::default();
        request.body = body.map(str::to_owned);
        request.is_base64_encoded = is_base64_encoded;
        request
    }

    #[test]
    fn the_body_is_read_plain_and_as_base64() {
        let encoded = BASE64_STANDARD.encode(ORDER);
        for request in [request(Some(ORDER), false), request(Some(&encoded), true)] {
            assert_eq!(read_order(&request).expect("an order").0.total_cents, 900);
        }
    }

    #[test]
    fn only_who_has_the_key_may_ask_for_a_dry_run() {
        let mut request = request(Some(ORDER), false);
        assert!(!asks_for_dry_run(&request, None) && !asks_for_dry_run(&request, Some("k")));
        request.headers.insert("x-dry-run-key", HeaderValue::from_static("k"));
        assert!(asks_for_dry_run(&request, Some("k")));
        assert!(!asks_for_dry_run(&request, Some("other")) && !asks_for_dry_run(&request, None));
    }

    #[test]
    fn every_order_has_an_id_of_its_own() {
        let id = || read_order(&request(Some(ORDER), false)).expect("an order").0.order_id;
        assert_ne!(id(), id());
    }

    #[test]
    fn a_body_that_is_no_order_is_turned_down_with_the_reason() {
        for (body, base64, reason) in [
            (None, false, "EOF"),
            (Some("hello"), false, "expected value"),
            (Some("%"), true, "Invalid"),
            (Some(r#"{"items": []}"#), false, "missing field `user_id`"),
            (Some(r#"{"user_id": "u-1", "items": []}"#), false, "items is empty"),
        ] {
            let error = read_order(&request(body, base64)).expect_err("no order").to_string();
            assert!(error.contains(reason), "{body:?}: {error}");
        }
    }

    #[test]
    fn a_reply_is_json() {
        let reply = serde_json::to_value(reply(400, &json!({ "error": "items is empty" }))).expect("JSON");
        assert_eq!(reply["statusCode"], 400);
        assert_eq!(reply["headers"]["content-type"], "application/json");
        assert_eq!(reply["body"], r#"{"error":"items is empty"}"#);
    }
}
