//! SQS.

use std::collections::HashSet;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::StreamExt as _;
use futures_util::stream;
use lambda_runtime::Error;

/// How many messages of a standard queue are processed at once.
const CONCURRENCY: usize = 10;

/// Processes the messages of an SQS event and says which failed.
///
/// Messages of a standard queue run concurrently, ten at once. Those of a FIFO queue run in order within their
/// message group; after the first failure of a group the rest of it is reported as failed without being
/// processed, so that the order holds when Lambda delivers them again
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).
///
/// A failure, or a panic, of `process` is logged and put on the record's span.
pub async fn sqs<P, F, E>(event: SqsEvent, process: P) -> SqsBatchResponse
where
    P: Fn(SqsMessage) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let process = &process;
    let failed: Vec<Vec<String>> = super::within(event, |event| {
        let groups = stream::iter(groups(event.records));
        groups.map(|group| async move { in_order(group, process).await }).buffered(CONCURRENCY).collect()
    })
    .await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().flatten().map(failure).collect();
    response
}

/// Messages that depend on each other: those of a FIFO group. Every other message is alone.
fn groups(messages: Vec<SqsMessage>) -> Vec<Vec<SqsMessage>> {
    let mut groups: Vec<(Option<String>, Vec<SqsMessage>)> = Vec::new();
    for message in messages {
        let group = message.attributes.get("MessageGroupId").filter(|_| is_fifo(&message)).cloned();
        match groups.iter_mut().find(|(known, _)| group.is_some() && *known == group) {
            Some((_, members)) => members.push(message),
            None => groups.push((group, vec![message])),
        }
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

/// Standard queues may have groups too (fair queues), which promise no order.
fn is_fifo(message: &SqsMessage) -> bool {
    message.event_source_arn.as_ref().is_some_and(|arn| arn.ends_with(".fifo"))
}

async fn in_order<P, F, E>(group: Vec<SqsMessage>, process: &P) -> Vec<String>
where
    P: Fn(SqsMessage) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let mut failed = Vec::new();
    let mut seen = HashSet::new();
    for message in group {
        let id = message.message_id.clone().unwrap_or_default();
        if !failed.is_empty() || !super::run(&id, || process(message)).await {
            // An empty id, or one that comes twice, would make Lambda take the whole batch for failed.
            if seen.insert(id.clone()) {
                failed.push(id);
            }
        }
    }
    failed
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn message(id: &str, group: Option<&str>, queue: &str) -> SqsMessage {
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        message.event_source_arn = Some(format!("arn:aws:sqs:eu-west-1:123456789012:{queue}"));
        if let Some(group) = group {
            message.attributes.insert("MessageGroupId".to_owned(), group.to_owned());
        }
        message
    }

    async fn failed_of(messages: Vec<SqsMessage>, failing: &[&str]) -> (Vec<String>, Vec<String>) {
        let processed = Mutex::new(Vec::new());
        let mut event = SqsEvent::default();
        event.records = messages;
        let response = sqs(event, |message| {
            let id = message.message_id.unwrap_or_default();
            processed.lock().unwrap().push(id.clone());
            let fails = failing.contains(&id.as_str());
            async move {
                match id.as_str() {
                    "panics" => panic!("no more"),
                    _ if fails => Err("it fails"),
                    _ => Ok(()),
                }
            }
        })
        .await;
        let failed =
            response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        (processed.into_inner().unwrap(), failed)
    }

    #[tokio::test]
    async fn a_standard_queue_reports_just_what_failed() {
        let messages = ["a", "b", "panics", "c"].map(|id| message(id, Some("g"), "payments")).to_vec();
        let (processed, failed) = failed_of(messages, &["b"]).await;
        assert_eq!(processed, ["a", "b", "panics", "c"]);
        assert_eq!(failed, ["b", "panics"]);
    }

    #[tokio::test]
    async fn a_fifo_group_stops_at_its_first_failure_and_others_go_on() {
        let messages = vec![
            message("a1", Some("a"), "payments.fifo"),
            message("b1", Some("b"), "payments.fifo"),
            message("a2", Some("a"), "payments.fifo"),
            message("b2", Some("b"), "payments.fifo"),
        ];
        let (processed, failed) = failed_of(messages, &["a1"]).await;
        assert_eq!(processed, ["a1", "b1", "b2"]);
        assert_eq!(failed, ["a1", "a2"]);
    }

    #[tokio::test]
    async fn an_empty_event_has_an_empty_answer() {
        assert_eq!(failed_of(Vec::new(), &[]).await, (vec![], vec![]));
    }
}
