use http::StatusCode;

use super::super::client::Target;
use super::*;
use crate::span::attribute;
use crate::testing::{Extension, ended};

fn to(port: u16) -> Background {
    let endpoint = format!("http://127.0.0.1:{port}");
    Background::new(&|key| (key == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()))
}

fn add(background: &Background, name: &str, bytes: usize) {
    let attributes = (0..bytes / 8000).map(|n| attribute(&n.to_string(), "x".repeat(8000)));
    background.add(ended(name, attributes));
}

#[tokio::test]
async fn what_was_added_is_sent_in_order_in_requests_of_a_bounded_size() {
    let collector = Extension::start().await;
    let background = to(collector.port());
    let names: Vec<_> = (0..6).map(|n| n.to_string()).collect();
    names.iter().for_each(|name| add(&background, name, 400_000));
    assert!(background.flush().await);
    assert_eq!(collector.names(), names);
    assert!(collector.requests() >= 2, "2.4 MB are not sent at once");
    assert!(background.flush().await, "there is no more");
    assert_eq!(collector.names(), names);
}

#[tokio::test]
async fn spans_leave_by_themselves() {
    let collector = Extension::start().await;
    let background = to(collector.port());
    add(&background, "early", 2_000_000);
    add(&background, "late", 0);
    while collector.names().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(collector.names(), ["early", "late"]);
}

#[tokio::test]
async fn spans_that_nobody_takes_wait_up_to_a_bound() {
    let collector = Extension::start().await;
    collector.answer(StatusCode::SERVICE_UNAVAILABLE);
    let background = to(collector.port());
    add(&background, "first", 0);
    assert!(!background.flush().await);
    (0..20).for_each(|n| add(&background, &n.to_string(), 400_000));
    collector.answer(StatusCode::OK);
    assert!(background.flush().await);
    let mut names = collector.names();
    let before = names.len();
    names.dedup();
    assert!(names.len() < before, "the first was sent again");
    assert_eq!(names[..2], ["first", "0"]);
    assert!((10..14).contains(&names.len()), "{} of 8 MB were kept", names.len());
}

#[tokio::test]
async fn what_no_collector_wants_does_not_stay_for_ever() {
    let collector = Extension::start().await;
    collector.answer(StatusCode::BAD_REQUEST);
    let background = to(collector.port());
    add(&background, "poison", 0);
    while !background.flush().await {}
    collector.answer(StatusCode::OK);
    add(&background, "good", 0);
    assert!(background.flush().await);
    assert_eq!(collector.names(), ["poison", "poison", "poison", "good"]);
}

#[tokio::test]
async fn a_collector_that_is_not_there_yet_gets_all_once_it_is() {
    // Port 1: nobody listens.
    let background = to(1);
    add(&background, "kept", 0);
    for _ in 0..5 {
        assert!(!background.flush().await);
    }
    assert_eq!(background.0.queue().spans.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_while_spans_are_sent_waits_no_longer() {
    // Connections are made, and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let background = to(silent.local_addr().unwrap().port());
    let shared = background.0.clone();
    // What the thread does, on this one's clock.
    shared.queue().thread = Some(true);
    let exit = Exit::of(shared.endpoint.clone().unwrap()).unwrap();
    let sender = Sender { shared: &shared, exit, failures: 0, refusals: 0 };
    add(&background, "kept", 0);
    let ask = async {
        // By then it is being sent.
        tokio::time::sleep(INTERVAL + BUDGET / 2).await;
        assert!(shared.queue().spans.is_empty());
        let asked = Instant::now();
        assert!(!background.flush().await);
        asked.elapsed()
    };
    tokio::select! {
        () = sender.run() => unreachable!(),
        took = ask => assert!(took <= BUDGET + Duration::from_millis(10), "{took:?}"),
    }
}

#[tokio::test]
async fn where_no_client_can_be_made_nobody_waits_for_ever() {
    let shared = Shared {
        endpoint: Some(Endpoint::Collector(Target::broken())),
        resource: Resource::default(),
        queue: Mutex::default(),
        news: Notify::new(),
    };
    let background = Background(Arc::new(shared));
    add(&background, "lost", 0);
    // The time of a test that fails.
    let taken = tokio::time::timeout(Duration::from_secs(30), background.flush()).await;
    assert_eq!(taken, Ok(false));
    add(&background, "lost too", 0);
    assert!(!background.flush().await);
    let queue = background.0.queue();
    assert!(queue.spans.is_empty() && queue.bytes == 0, "nobody will ever send them");
}

#[tokio::test]
async fn without_an_endpoint_there_is_no_thread() {
    let background = Background::new(&|_| None);
    assert!(background.flush().await, "there was nothing to send");
    add(&background, "dropped", 0);
    assert!(!background.flush().await);
    assert_eq!(background.0.queue().thread, None);
}
