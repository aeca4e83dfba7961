//! Requests at and over the limits of their events.

use super::*;

const KIB: usize = 1024;

/// What an event of ours counts for beside its detail
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>).
const REST: usize = "shop".len() + "Order".len() + "arn:aws:s3:::b".len();

#[tokio::test]
async fn an_event_at_a_limit_is_taken_and_delivered_with_us_if_it_is_without() {
    let emulator = Emulator::start().await;
    let (bus, queue) = (Bus::new(&emulator).await, Queue::new(&emulator).await);
    bus.rule(&json!({ "source": ["shop"] }), &queue).await;
    let proxy = Proxy::flaky(0, &bus.endpoint).await;
    let (traced, plain) = clients!(aws_sdk_eventbridge, sdk(proxy.endpoint()).await);
    // moto has no limit but that of the queue, 1 MiB. rustack takes 256 KiB, as AWS did until 2026, and so does its
    // queue. AWS takes less than 1 MB.
    let limit = if emulator.is_moto() { 1024 * KIB - 1 } else { 256 * KIB - 1 };
    let (small, large) = (outcome("body", None), outcome("header", Some("too-large")));
    // Over a limit there is room again up to the next.
    let over = if emulator.is_moto() { &large } else { &small };
    for (size, expected) in [
        (limit - 2 * KIB, &small),
        // An event goes on in an envelope, whose size is not known: what arrived in it does so with us.
        (limit - 1000, &large),
        (limit - 800, &large),
        (limit - 600, &large),
        (limit - 500, &large),
        (limit - 400, &large),
        (limit - 300, &large),
        (limit - 100, &large),
        (limit, &large),
        // rustack counts the detail alone.
        (limit + 2 + REST, over),
        (limit + 2 * KIB, over),
    ] {
        let detail = json!({ "a": "x".repeat(size - REST - r#"{"a":""}"#.len()) }).to_string();
        // What comes after it says that it has been delivered if it ever is.
        let details = [detail.as_str()];
        let mut arrived = Vec::new();
        let sender = Function::new();
        for traces in [false, true] {
            let taken = if traces {
                let call = events(&traced, &bus, &details);
                sender.sends(async || call.send().await).await
            } else {
                events(&plain, &bus, &details).send().await
            };
            let taken = taken.is_ok_and(|answer| answer.failed_entry_count() == 0);
            events(&plain, &bus, &[r#"{"end":true}"#]).send().await.unwrap();
            let mut before_end = queue.until(|message| delivered(message)["detail"]["end"] == true).await;
            before_end.pop();
            arrived.push((
                taken,
                before_end.iter().map(|message| alike(delivered(message))).collect::<Vec<_>>(),
            ));
        }
        let [without, with] = arrived.try_into().unwrap();
        assert!(without == with, "{size}: {:?} {:?}", (without.0, without.1.len()), (with.0, with.1.len()));
        assert_eq!(injections(&sender), std::slice::from_ref(expected), "{size}");
    }
}
