//! Totals, counted anew.

use super::shop::{Shop, order};

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
