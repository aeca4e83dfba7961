use super::*;
use crate::testing::{Extension, ended};

const LEFT: Duration = Duration::from_secs(60);

fn hand_over(pairs: &[(&str, &str)]) -> HandOver {
    HandOver::new(&|key| pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned()))
}

async fn send(hand_over: &HandOver, name: &str, left: Duration) {
    hand_over.send(&Resource::default(), &[ended(name, [])], left).await;
}

#[tokio::test]
async fn without_an_extension_the_endpoint_is_used() {
    let collector = Extension::start().await;
    // An address of this machine that is not loopback by name.
    let endpoint = format!("http://0.0.0.0:{}", collector.port());
    let hand_over =
        hand_over(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("AWS_LAMBDA_RUNTIME_API", "nobody")]);
    for name in ["first", "second"] {
        send(&hand_over, name, LEFT).await;
    }
    assert_eq!(collector.names(), ["first", "second"]);
    assert_eq!(collector.connections(), 1);
}

#[tokio::test]
async fn an_extension_that_does_not_listen_is_none() {
    let (extension, collector) = (Extension::start().await, Extension::start().await);
    extension.stop().await;
    let endpoint = format!("http://0.0.0.0:{}/v1/traces", collector.port());
    let hand_over = hand_over(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint),
        ("AWS_LAMBDA_RUNTIME_API", extension.runtime_api()),
    ]);
    send(&hand_over, "first", LEFT).await;
    assert_eq!(collector.names(), ["first"]);
}

#[tokio::test]
async fn the_extension_comes_first() {
    let (extension, collector) = (Extension::start().await, Extension::start().await);
    let endpoint = format!("http://0.0.0.0:{}", collector.port());
    let hand_over = hand_over(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &endpoint),
        ("AWS_LAMBDA_RUNTIME_API", extension.runtime_api()),
    ]);
    send(&hand_over, "first", LEFT).await;
    assert_eq!((extension.names().len(), collector.names().len()), (1, 0));
}

#[test]
fn a_loopback_endpoint_is_the_extensions_own_and_a_wrong_one_is_none() {
    for value in ["http://localhost:4318", "http://127.0.0.1:4318", "stdout", "", "no address"] {
        assert!(hand_over(&[("OTEL_EXPORTER_OTLP_ENDPOINT", value)]).endpoint.is_none(), "{value}");
    }
}

#[tokio::test]
async fn an_extension_that_refuses_a_request_is_asked_again() {
    let extension = Extension::start().await;
    extension.answer(http::StatusCode::PAYLOAD_TOO_LARGE);
    let hand_over = hand_over(&[("AWS_LAMBDA_RUNTIME_API", extension.runtime_api())]);
    send(&hand_over, "too large", LEFT).await;
    extension.answer(http::StatusCode::OK);
    send(&hand_over, "second", LEFT).await;
    assert_eq!(extension.requests(), 2);
}

#[tokio::test]
async fn a_port_file_that_the_handler_removes_was_read_before() {
    let extension = Extension::start().await;
    let hand_over = hand_over(&[("AWS_LAMBDA_RUNTIME_API", extension.runtime_api())]);
    hand_over.prepare();
    std::fs::remove_file(port_file::path(extension.runtime_api())).unwrap();
    send(&hand_over, "first", LEFT).await;
    assert_eq!(extension.names(), ["first"]);
}

/// An invocation that ends just before its deadline must not cost the next ones their hand-over.
#[tokio::test(start_paused = true)]
async fn who_had_no_time_to_answer_is_asked_again() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let endpoint = format!("http://0.0.0.0:{}", listener.local_addr().unwrap().port());
    let hand_over = hand_over(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let begun = tokio::time::Instant::now();
    send(&hand_over, "no time", Duration::from_millis(30)).await;
    assert_eq!(begun.elapsed().as_millis(), 0);
    send(&hand_over, "hardly any", Duration::from_millis(150)).await;
    assert_eq!(begun.elapsed().as_millis(), 100);
    send(&hand_over, "tried", LEFT).await;
    assert_eq!(begun.elapsed().as_millis(), 2100);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_waited_for_once_and_never_past_the_deadline() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let endpoint = format!("http://0.0.0.0:{}", listener.local_addr().unwrap().port());
    let hand_over = hand_over(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let begun = tokio::time::Instant::now();
    send(&hand_over, "first", Duration::from_millis(500)).await;
    assert_eq!(begun.elapsed().as_millis(), 450);
    for _ in 0..PAUSE {
        send(&hand_over, "left out", LEFT).await;
    }
    assert_eq!(begun.elapsed().as_millis(), 450);
    send(&hand_over, "tried again", LEFT).await;
    assert_eq!(begun.elapsed().as_millis(), 2450);
}
