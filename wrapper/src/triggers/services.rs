//! Services whose events carry nobody's context: what they are called, and by what their events are known.

use super::event::{Event, RawRecord};
use super::json;
use super::members::Members;

/// The longest event that is looked at, in bytes: theirs are small, and what is large is somebody's payload.
const MAX_EVENT: usize = 64 * 1024;

/// Name, the members that tell it (`a/b`: `b` in `a`), and the one that says which of it. The more particular come first.
const SERVICES: [(&str, &[&str], &str); 19] = [
    ("cognito", &["triggerSource", "userPoolId", "request"], "triggerSource"),
    ("cognito sync", &["datasetName", "identityPoolId", "datasetRecords"], "datasetName"),
    ("config", &["configRuleName", "invokingEvent", "resultToken"], "configRuleName"),
    ("connect", &["Name", "Details/ContactData"], ""),
    ("lex", &["currentIntent", "bot", "inputTranscript"], ""),
    ("lex", &["sessionState", "bot", "inputTranscript"], ""),
    ("alexa", &["session", "context", "request", "version"], ""),
    ("bedrock agent", &["messageVersion", "agent", "actionGroup"], "actionGroup"),
    ("codepipeline", &["CodePipeline.job"], ""),
    ("codedeploy", &["DeploymentId", "LifecycleEventHookExecutionId"], ""),
    ("cloudformation", &["StackId", "RequestType", "LogicalResourceId"], "RequestType"),
    ("cloudwatch alarm", &["alarmArn", "alarmData"], ""),
    ("cloudtrail", &["eventVersion", "eventSource", "eventName", "userIdentity"], "eventName"),
    ("s3 batch", &["invocationSchemaVersion", "job", "tasks"], ""),
    ("s3 object lambda", &["xAmzRequestId", "userRequest", "configuration"], ""),
    ("secretsmanager", &["Step", "SecretId", "ClientRequestToken"], "Step"),
    ("client vpn", &["connection-id", "endpoint-id", "schema-version"], ""),
    ("iot 1-click", &["deviceEvent", "deviceInfo", "placementInfo"], ""),
    ("iot button", &["serialNumber", "clickType", "batteryVoltage"], "clickType"),
];

/// The service that an event comes from, as `throughline.source` has it.
pub(super) fn name(event: &Event<'_>) -> Option<String> {
    by_event_source(event).or_else(|| {
        let members: Members<'_> = json::object(Some(event.text).filter(|text| text.len() <= MAX_EVENT)?)?;
        let has = |path: &str| match path.split_once('/') {
            Some((name, inner)) => members.get(name)?.object::<Members<'_>>()?.get(inner),
            None => members.get(path),
        };
        let has_all = |paths: &[&str]| paths.iter().all(|path| has(path).is_some());
        let (name, _, which) = SERVICES.iter().find(|(_, names, _)| has_all(names))?;
        let which = members.get(which).and_then(|which| which.header());
        Some(which.map_or_else(|| (*name).to_owned(), |which| format!("{name} {which}")))
    })
}

/// `aws:…` as the event itself says it, or the first of its records: `ses` for `aws:ses`.
fn by_event_source(event: &Event<'_>) -> Option<String> {
    let of_record = || event.records.first()?.object::<RawRecord<'_>>()?.event_source.text();
    let source = event.event_source.text().or_else(of_record)?;
    match source.strip_prefix("aws:")? {
        "docdb" => Some("documentdb".to_owned()),
        name if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()) => Some(name.to_owned()),
        _ => None,
    }
}
