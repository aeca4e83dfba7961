//! `BatchWriteItem` in JSON, for who sends it without an SDK
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
//!
//! It is a POST to `/` of the endpoint, signed for the service `dynamodb`, with the headers `content-type`
//! ([`CONTENT_TYPE`]) and `x-amz-target` ([`TARGET`])
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html>).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Item};

/// What `x-amz-target` says.
pub const TARGET: &str = "DynamoDB_20120810.BatchWriteItem";
/// What `content-type` says.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// Of what the service says of a refusal no more is told, in characters.
const MAX_MESSAGE: usize = 300;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    request_items: HashMap<&'a str, Vec<Write<&'a Item>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Write<I> {
    put_request: Put<I>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put<I> {
    item: I,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    unprocessed_items: HashMap<String, Vec<Write<Item>>>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    /// `com.amazonaws.dynamodb.v20120810#ValidationException`; of errors before the service, `com.amazon.coral.service#…`.
    #[serde(rename = "__type")]
    kind: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

/// The body of a request that puts these items into a table, named by its name or its ARN.
///
/// # Errors
///
/// None that is known; serializing has the right to one.
pub fn request(table: &str, items: &[Item]) -> Result<Vec<u8>, Error> {
    let writes = items.iter().map(|item| Write { put_request: Put { item } }).collect();
    let request = Request { request_items: HashMap::from([(table, writes)]) };
    serde_json::to_vec(&request).map_err(|error| Error::Unsendable(error.to_string()))
}

/// The items that were left unprocessed, by the answer's status and body.
///
/// # Errors
///
/// When the table refuses, or the answer is none of DynamoDB's.
pub fn answer(status: u16, body: &[u8]) -> Result<Vec<Item>, Error> {
    if (200..300).contains(&status) {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| Error::NoAnswer(format!("answered {status}, and not as DynamoDB does")))?;
        return Ok(answer
            .unprocessed_items
            .into_values()
            .flatten()
            .map(|write| write.put_request.item)
            .collect());
    }
    let Refusal { kind, message } = serde_json::from_slice(body).unwrap_or_default();
    let code = kind.as_deref().and_then(|kind| kind.rsplit('#').next()).filter(|code| !code.is_empty());
    let readable =
        |text: &str| text.chars().filter(|letter| !letter.is_control()).take(MAX_MESSAGE).collect();
    Err(Error::Refused {
        status,
        code: code.map_or_else(|| status.to_string(), readable),
        message: readable(&message.unwrap_or_else(|| "not as DynamoDB refuses".to_owned())),
    })
}
