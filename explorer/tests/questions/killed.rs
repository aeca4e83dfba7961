//! What is told of a function that ran out of time in the middle of a call.

use serde_json::{Value, json};

use super::shop::{Shop, of, order, span, text};

/// Two orders whose mails were not sent in time. Of the second the server of the logs had not answered either.
fn orders() -> [Value; 2] {
    [1, 2].map(|number| {
        let mut order = order(number, "u-1042", None, "9f3c2e1");
        let mail = &mut order["resourceSpans"][1]["scopeSpans"][0]["spans"][0];
        mail["status"] = json!({ "code": 2, "message": "timed out after 0.13 s" });
        let said = [("error.type", "Sandbox.Timedout"), ("throughline.partial", "true")];
        mail["attributes"].as_array_mut().unwrap().extend(said.map(|(key, value)| text(key, value)));
        let call = |id, host, from| {
            let said = [("http.request.method", "POST"), ("server.address", host)];
            span(number, id, Some(3), "POST", 3, (from, 1350), &said, &[("throughline.partial", "true")])
        };
        let calls = [call(7, "mails.example", 1230), call(8, "logs.example", 1240)];
        let calls = of("email-sender", &calls[..number as usize]);
        order["resourceSpans"].as_array_mut().unwrap().push(calls);
        order
    })
}

#[test]
fn impact_names_the_call_that_had_not_ended_as_the_tree_does() {
    let shop = Shop::empty();
    let [one, two] = orders();
    let cause = || {
        let told = shop.ask_then(&["impact", "email-sender"]).text;
        let causes: Vec<&str> = told.lines().filter(|line| line.contains("cause")).collect();
        causes.join("\n")
    };
    assert_eq!(shop.import("one.jsonl", &[one]).code, 0);
    assert_eq!(cause(), "  cause: its own, while POST mails.example had not ended");
    let tree = shop.ask_then(&["trace", "c-1"]).text;
    let call = tree.lines().find(|line| line.contains("─ POST mails.example")).unwrap();
    assert!(call.ends_with("not ended"), "{tree}");

    assert_eq!(shop.import("two.jsonl", &[two]).code, 0);
    assert_eq!(cause(), "  cause: its own, while POST mails.example and 1 other call had not ended");
    let group = &shop.json(&["impact", "email-sender"])["found"]["errors"][0];
    let call = &group["open_call"];
    assert_eq!((&group["cause"], &call["name"]), (&Value::Null, &json!("POST mails.example")));
    assert_eq!((&call["function"], &call["others"]), (&json!("email-sender"), &json!(1)));
}

/// Beside what failed for another reason, and where a call had failed before.
#[test]
fn each_error_has_its_own_cause() {
    let shop = Shop::empty();
    let [mut one, _] = orders();
    let said = [("error.type", "503"), ("http.request.method", "POST"), ("server.address", "mails.example")];
    let mut refused = span(1, 9, Some(3), "POST", 3, (1221, 1225), &said, &[]);
    refused["status"] = json!({ "code": 2, "message": "" });
    one["resourceSpans"].as_array_mut().unwrap().push(of("email-sender", &[refused]));
    let rejected = order(2, "u-0007", Some("550 sender unverified"), "9f3c2e1");
    assert_eq!(shop.import("orders.jsonl", &[one, rejected]).code, 0);
    let told = shop.ask_then(&["impact", "email-sender"]).text;
    let causes: Vec<&str> = told.lines().filter(|line| line.contains("cause")).collect();
    let cause = "  cause of Sandbox.Timedout: email-sender POST mails.example failed below: 503; POST mails.example had not ended";
    assert_eq!(causes, [cause], "{told}");
}

#[test]
fn the_map_counts_it_as_failed() {
    let shop = Shop::empty();
    assert_eq!(shop.import("orders.jsonl", &orders()).code, 0);
    let failures = || {
        let map = shop.json(&["map"]);
        let edges = map["found"]["edges"].as_array().unwrap().iter();
        let called = edges.filter(|edge| {
            edge["to"].as_str().unwrap().starts_with("http ") && edge["from"] == "email-sender"
        });
        called
            .map(|edge| (edge["runs"].as_u64().unwrap(), edge["failures"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(failures(), [(1, 1), (2, 2)]);
    assert_eq!(shop.ask(&["store", "rebuild"]).code, 0);
    assert_eq!(failures(), [(1, 1), (2, 2)]);
}
