use super::{Outcome, outcome};
use crate::http::Reply;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE, header::RETRY_AFTER};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;
use std::time::Duration;

fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    let status = StatusCode::from_u16(status).expect("a status");
    Reply { status, headers: HeaderMap::new(), body: body.into() }
}

#[test]
fn success_may_be_partial() {
    let whole = Outcome::Delivered { rejected: 0, why: String::new() };
    for body in [&b""[..], b"{}", b"\xff\xff"] {
        assert_eq!(outcome(&reply(200, body), &[]), whole);
    }
    assert_eq!(outcome(&reply(202, ""), &[]), whole);
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".into() };
    let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    assert_eq!(outcome(&reply(200, body), &[]), Outcome::Delivered { rejected: 2, why: "too old".into() });
}

#[test]
fn a_backend_that_answers_in_json_is_understood() {
    for (body, rejected, why) in [
        (r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#, 2, "too old"),
        (r#"{"partialSuccess":{"rejectedLogRecords":3}}"#, 3, ""),
        (r#"{"partialSuccess":{}}"#, 0, ""),
        ("{}", 0, ""),
        ("[", 0, ""),
    ] {
        let mut reply = reply(200, body);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert_eq!(outcome(&reply, &[]), Outcome::Delivered { rejected, why: why.into() }, "{body}");
    }
}

#[test]
fn a_page_is_no_delivery() {
    let mut page = reply(200, "<html>Sign in</html>");
    page.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    assert!(matches!(outcome(&page, &[]), Outcome::Failed { after: None, .. }));
    page.body = Bytes::new();
    assert!(matches!(outcome(&page, &[]), Outcome::Delivered { .. }), "nothing was said");
}

#[test]
fn secrets_are_not_quoted() {
    // The whole of it is hidden before the rest is cut off.
    let text = format!("{}bad key hunter2hunter2", "x".repeat(185));
    for status in [401, 503] {
        let told = format!("{:?}", outcome(&reply(status, text.clone()), &["hunter2hunter2"]));
        assert!(told.contains("bad key") && !told.contains("hunter"), "{told}");
    }
}

#[test]
fn busy_backends_are_asked_again_when_they_say() {
    let mut busy = reply(503, "later");
    busy.headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
    let Outcome::Failed { after, why } = outcome(&busy, &[]) else { panic!("transient") };
    assert_eq!(after, Some(Duration::from_secs(3)));
    assert!(why.contains("503") && why.contains("later"), "{why}");
}

#[test]
fn other_errors_are_final() {
    for (status, parts) in [(400, true), (413, true), (401, false), (404, false), (500, false)] {
        let Outcome::Refused { divisible, .. } = outcome(&reply(status, ""), &[]) else {
            panic!("{status} is final")
        };
        assert_eq!(divisible, parts, "{status}");
    }
}
