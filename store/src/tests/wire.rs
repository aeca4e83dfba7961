//! What is sent without the SDK is what the SDK sends, and what it understands is understood the same.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fake::{Fake, TABLE, store};
use crate::item::tests::value;
use crate::{Error, Item, Table as _, wire};

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop::collection::hash_map(".{0,9}", value(), 0..5).prop_map(Item::from);
    prop::collection::vec(item, 1..4)
}

/// What comes of a put by the SDK, and the request that it made.
fn by_sdk(
    answer: fn(usize, &Value) -> Option<(u16, Value)>,
    items: &[Item],
) -> (Result<Vec<Item>, Error>, Value) {
    let fake = Fake { answer, requests: Arc::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = runtime.block_on(store(&fake).put(items));
    let request = fake.requests.lock().unwrap().remove(0);
    (outcome, request)
}

proptest! {
    #[test]
    fn the_same_is_sent_and_what_is_left_unprocessed_understood(items in items()) {
        let (left, request) = by_sdk(|_, request| Some((200, json!({ "UnprocessedItems": request["RequestItems"] }))), &items);
        let ours: Value = serde_json::from_slice(&wire::request(TABLE, &items).unwrap()).unwrap();
        prop_assert_eq!(&ours, &request);
        prop_assert_eq!(&left.unwrap(), &items);
        let answer = json!({ "UnprocessedItems": ours["RequestItems"] });
        prop_assert_eq!(wire::answer(200, answer.to_string().as_bytes()).unwrap(), items);
    }

    #[test]
    fn any_answer_is_understood_or_an_error(status in 100..600_u16, body in prop::collection::vec(any::<u8>(), 0..99)) {
        prop_assert!(wire::answer(status, &body).is_err() || status / 100 == 2);
    }
}

#[test]
fn refusals_are_told_in_the_services_words() {
    let put = [Item::from(HashMap::<String, serde_dynamo::AttributeValue>::new())];
    for (status, body, code, transient) in [
        (
            400,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"m"}"#,
            "ProvisionedThroughputExceededException",
            true,
        ),
        (
            400,
            r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"m"}"#,
            "AccessDeniedException",
            false,
        ),
        (400, r#"{"__type":"ValidationException","message":"m"}"#, "ValidationException", false),
        (500, r#"{"__type":"x#Odd","message":"m"}"#, "Odd", true),
        (503, "<html>", "503", true),
        (403, "", "403", false),
        (400, r#"{"__type":"a#","message":"m\u001b[31m"}"#, "400", false),
    ] {
        let error = wire::answer(status, body.as_bytes()).unwrap_err();
        let Error::Refused { status: told, code: ours, message } = &error else { panic!("{error:?}") };
        assert_eq!((*told, ours.as_str(), error.is_transient()), (status, code, transient), "{body}");
        assert!(!message.contains('\u{1b}'), "{message}");
    }
    let (theirs, _) =
        by_sdk(|_, _| Some((400, json!({ "__type": "a#AccessDeniedException", "Message": "no" }))), &put);
    let ours = wire::answer(400, br#"{"__type":"a#AccessDeniedException","Message":"no"}"#);
    assert_eq!(theirs.unwrap_err().to_string(), ours.unwrap_err().to_string());
    for body in ["", "<html>", r#"{"UnprocessedItems":[]}"#] {
        let error = wire::answer(200, body.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::NoAnswer(_)) && error.is_transient(), "{body}");
    }
    assert_eq!(wire::answer(200, b"{}").unwrap(), []);
}
