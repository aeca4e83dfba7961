//! Totals, counted anew.

use serde_json::json;

use super::shop::{Shop, of, order, span};

fn orders() -> [serde_json::Value; 2] {
    [order(1, "u-1042", Some("550 sender unverified"), "9f3c2e1"), order(2, "u-0007", None, "4d01b77")]
}

#[test]
fn what_was_counted_twice_is_counted_anew() {
    let shop = Shop::new();
    let functions = || shop.json(&["functions"])["found"].clone();
    let once = functions();
    assert_eq!(once[1]["runs"], 2);
    assert_eq!(shop.import("a copy.jsonl", &orders()).code, 0);
    assert_eq!(functions()[1]["runs"], 4, "under another name");
    let told = shop.json(&["store", "rebuild"]);
    assert_eq!(
        (&told["runs"], &told["items"], &told["removed"], &told["damaged"]),
        (&4.into(), &2.into(), &4.into(), &0.into())
    );
    assert_eq!(functions(), once);
    let again = shop.ask(&["store", "rebuild", "--since", "3d", "--until", "1h"]);
    assert_eq!(again.code, 0, "{}", again.errors);
    assert!(again.text.contains(": 4 runs counted anew, from "), "{}", again.text);
    assert!(
        again
            .text
            .contains(" UTC: 2 items of totals in place of 0 others\nnext: throughline functions --store")
    );
    assert_eq!(functions(), once);
}

/// Services whose spans came apart, of which one is called by an address.
#[test]
fn who_calls_a_service_is_drawn_after_a_rebuild() {
    let shop = Shop::empty();
    let called = [("rpc.system", "grpc"), ("server.address", "10.0.0.7")];
    let web = [
        span(1, 1, None, "GET /", 2, (0, 50), &[("http.request.method", "GET"), ("http.route", "/")], &[]),
        span(1, 2, Some(1), "Cart/Get", 3, (5, 40), &called, &[]),
    ];
    let cart = [span(1, 3, Some(2), "Cart/Get", 2, (10, 30), &[], &[])];
    for (service, spans) in [("web", &web[..]), ("cart", &cart)] {
        let request = json!({ "resourceSpans": [of(service, spans)] });
        assert_eq!(shop.import(&format!("{service}.jsonl"), &[request]).code, 0);
    }
    let said = "\nwho calls cart is not known: perhaps who calls grpc 10.0.0.7. throughline store rebuild ";
    let map = |arguments: &[&str]| shop.ask_then(&[&["map"], arguments].concat()).text;
    assert!(map(&[]).contains(said), "{}", map(&[]));
    assert!(map(&["--function", "cart"]).contains(said));
    assert!(!map(&["--function", "web"]).contains("who calls"));
    assert!(!map(&["--format", "mermaid"]).contains("who calls"), "nothing but the chart");
    assert_eq!(shop.ask(&["store", "rebuild"]).code, 0);
    assert!(!map(&[]).contains("who calls") && map(&[]).contains("\nweb    cart"), "{}", map(&[]));
    assert!(!Shop::new().ask_then(&["map"]).text.contains("who calls"), "each has its caller");
}

#[test]
fn the_exit_status_says_whether_there_was_anything_to_count() {
    let shop = Shop::empty();
    assert_eq!(shop.ask(&["store", "rebuild"]).code, 2, "no store");
    assert_eq!(shop.ask(&["store", "create"]).code, 0);
    assert_eq!(shop.ask(&["store", "rebuild"]).code, 1);
    let soon = shop.ask(&["store", "rebuild", "--since", "1ms"]);
    assert_eq!((soon.code, soon.text.contains("has been over for an hour")), (1, true), "{}", soon.text);
    assert_eq!(shop.ask(&["store", "rebuild", "--since", "1h", "--until", "2h"]).code, 2);
}
