use super::{Event, Events, LONGEST, Lambda, Subscription, instant};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Answers `each` requests of a connection, then closes it. Returns how many connections three calls take.
async fn connections_of_a_start(each: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let api = listener.local_addr().expect("bound").to_string();
    let host = async {
        let (mut connections, mut answered) = (0, 0);
        while answered < 3 {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            connections += 1;
            for _ in 0..each.min(3 - answered) {
                // One read has one whole request: they are short.
                if stream.read(&mut [0; 4096]).await.expect("a request") == 0 {
                    break;
                }
                let body = r#"{"eventType":"SHUTDOWN","deadlineMs":1}"#;
                let head = "HTTP/1.1 200 OK\r\nlambda-extension-identifier: x\r\ncontent-length";
                let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.expect("sent");
                answered += 1;
            }
        }
        connections
    };
    let calls = async {
        let mut lambda = Lambda::connect(&api, "x").await;
        lambda.register(Events::All).await.expect("registered");
        assert_eq!(lambda.subscribe(1, false).await, Subscription::Active);
        assert!(matches!(lambda.next().await, Ok(Event::Shutdown { .. })));
        assert!(lambda.kept.is_none(), "nothing is kept over a freeze");
    };
    tokio::join!(host, calls).0
}

#[tokio::test]
async fn the_calls_of_the_start_share_a_connection_as_long_as_it_lives() {
    assert_eq!(connections_of_a_start(3).await, 1);
    assert_eq!(connections_of_a_start(1).await, 3);
}

#[test]
fn deadlines_are_seen_from_now() {
    let (now, wall) = (Instant::now(), UNIX_EPOCH + Duration::from_millis(10_000));
    assert_eq!(instant(13_000, wall, now), now + Duration::from_secs(3));
    assert_eq!(instant(9_000, wall, now), now, "past");
    assert_eq!(instant(u64::MAX, wall, now), now + LONGEST, "nonsense");
}

#[test]
fn events_of_the_developer_guide_are_read() {
    let invoke = r#"{"eventType":"INVOKE","deadlineMs":676051,"requestId":"3da1f2dc","invokedFunctionArn":"arn:aws:lambda:us-east-1:1:function:f","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}"#;
    let expected = Event::Invoke { deadline_ms: 676_051, request_id: "3da1f2dc".into() };
    assert_eq!(serde_json::from_str::<Event>(invoke).expect("read"), expected);
    let shutdown = r#"{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":676051}"#;
    let expected = Event::Shutdown { deadline_ms: 676_051, shutdown_reason: "spindown".into() };
    assert_eq!(serde_json::from_str::<Event>(shutdown).expect("read"), expected);
}
