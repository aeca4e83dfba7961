//! SNS.

use aws_lambda_events::event::sns::{SnsEvent, SnsRecord};
use lambda_runtime::Error;

use super::Failure;

/// Processes the notifications of an SNS event, in order: SNS delivers one at a time.
///
/// There is no partial response: the first failure is the result, and what Lambda is given for the whole invocation,
/// which then runs again. Notifications after it are not processed. A failure, or a panic, of `process` is logged and
/// put on the record's span; a panic goes on.
///
/// # Errors
///
/// The first that `process` has.
///
/// # Panics
///
/// As `process` does.
///
/// ```
/// use aws_lambda_events::event::sns::{SnsEvent, SnsRecord};
/// use lambda_runtime::{Error, LambdaEvent};
///
/// async fn handler(event: LambdaEvent<SnsEvent>) -> Result<(), Error> {
///     throughline::batch::sns(event.payload, notify).await
/// }
///
/// async fn notify(record: SnsRecord) -> Result<(), Error> {
///     tracing::info!(subject = record.sns.subject, "told");
///     Ok(())
/// }
/// ```
pub async fn sns<P, F, E>(event: SnsEvent, process: P) -> Result<(), Error>
where
    P: Fn(SnsRecord) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    super::within(event, |event| in_order(event.records, process)).await
}

async fn in_order<P, F, E>(records: Vec<SnsRecord>, process: P) -> Result<(), Error>
where
    P: Fn(SnsRecord) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    for record in records {
        let id = record.sns.message_id.clone();
        match super::attempt(&id, || process(record)).await {
            Ok(()) => {}
            Err(Failure::Error(_, error)) => return Err(error),
            // Elsewhere a panic is one failed record among others; here there is nobody else to tell of it.
            Err(Failure::Panic(failure)) => std::panic::resume_unwind(Box::new(failure.message)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn event(ids: &[&str]) -> SnsEvent {
        let records: Vec<_> = ids
            .iter()
            .map(|id| {
                serde_json::json!({
                    "EventSource": "aws:sns", "EventVersion": "1.0",
                    "EventSubscriptionArn": "arn:aws:sns:eu-west-1:123456789012:orders:1",
                    "Sns": {
                        "Type": "Notification", "MessageId": id,
                        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:orders", "Subject": null,
                        "Message": "hello", "Timestamp": "2026-09-21T12:00:00.000Z", "SignatureVersion": "1",
                        "Signature": "s", "SigningCertUrl": "u", "UnsubscribeUrl": "u", "MessageAttributes": {},
                    },
                })
            })
            .collect();
        serde_json::from_value(serde_json::json!({ "Records": records })).unwrap()
    }

    #[tokio::test]
    async fn the_first_failure_is_the_result() {
        let processed = Mutex::new(Vec::new());
        let result = sns(event(&["a", "b", "c"]), |record| {
            let id = record.sns.message_id;
            processed.lock().unwrap().push(id.clone());
            async move { if id == "b" { Err("b fails") } else { Ok(()) } }
        })
        .await;
        assert_eq!(result.unwrap_err().to_string(), "b fails");
        assert_eq!(processed.into_inner().unwrap(), ["a", "b"]);
        sns(event(&["a"]), |_| async { Ok::<_, &str>(()) }).await.unwrap();
    }

    #[tokio::test]
    #[should_panic(expected = "no more")]
    async fn a_panic_goes_on() {
        let _ =
            sns(event(&["a"]), |_| async { if true { panic!("no more") } else { Ok::<_, &str>(()) } }).await;
    }
}
