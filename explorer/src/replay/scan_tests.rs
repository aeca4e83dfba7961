use std::io::Read;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use serde_json::json;

use super::{Found, Scanner};

/// A line as it is written, of one span of this name.
fn line(name: &str) -> String {
    let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.into(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    serde_json::to_string(&ExportTraceServiceRequest { resource_spans }).unwrap()
}

/// Gives so many bytes at once.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.1.min(buffer.len());
        (&mut self.0).take(bytes as u64).read(buffer)
    }
}

/// A line, and the name of the span that is there, or what is wrong.
type Told = (u64, Result<String, String>);

/// What is there, and the lines.
fn scanned(text: &str) -> (Vec<Told>, (u64, u64)) {
    let mut scanner = Scanner::new(Slowly(text.as_bytes(), 1000));
    let mut all = Vec::new();
    while let Some(piece) = scanner.next().unwrap() {
        let name = piece.found.map(|found| match found {
            Found::Traces(groups, _) => groups[0].scope_spans[0].spans[0].name.clone(),
            other => panic!("{other:?}"),
        });
        all.push((piece.line, name));
    }
    (all, scanner.lines())
}

fn names(text: &str) -> Vec<(u64, String)> {
    scanned(text).0.into_iter().map(|(line, name)| (line, name.unwrap())).collect()
}

/// The forms in which people get their logs, each with two foreign lines and one of a span.
fn forms(name: &str) -> Vec<(&'static str, String)> {
    let (foreign, line) = ("START RequestId: 1 \"{[", line(name));
    let event =
        |message: &str| json!({ "logStreamName": "2024/[$LATEST]a", "timestamp": 1, "message": message });
    let events = json!({ "events": [event(foreign), event(&line)], "searchedLogStreams": [] });
    let field = |name: &str, value: &str| json!({ "field": name, "value": value });
    let insights =
        json!({ "results": [[field("@timestamp", "2024-01-01 00:00:00.000"), field("@message", &line)]] });
    let parsed = serde_json::from_str::<serde_json::Value>(&line).unwrap();
    let wrapped =
        json!({ "time": "2024-01-01T00:00:00.000Z", "type": "extension", "record": format!("{line}\n") });
    let platform = json!({ "time": "2024", "type": "platform.report", "record": { "requestId": "1" } });
    let claiming = line.strip_suffix('}').unwrap().to_owned() + r#","timestamp":"2024","level":"ERROR"}"#;
    let pretty = serde_json::to_string_pretty(&parsed).unwrap();
    let csv = line.replace('"', "\"\"");
    vec![
        ("stdout", format!("{foreign}\n{line}\n{foreign}\n")),
        ("without an end", format!("{foreign}\r\n{line}")),
        ("where a level is claimed", format!("{foreign}\n{claiming}\n")),
        ("aws logs filter-log-events", serde_json::to_string_pretty(&events).unwrap()),
        ("the same in one line", events.to_string()),
        ("--output text", format!("EVENTS\t1\t2\tstream\t{foreign}\t3\nEVENTS\t1\t2\tstream\t{line}\t3\n")),
        (
            "aws logs tail",
            format!(
                "2024-01-01T00:00:00.000000+00:00 2024/[$LATEST]a {foreign}\n2024-01-01T00:00:00.000000+00:00 2024/[$LATEST]a {line}\n"
            ),
        ),
        ("aws logs tail --format json", format!("2024-01-01T00:00:00+00:00 2024/[$LATEST]a {pretty}\n")),
        ("an export to S3", format!("2024-01-01T00:00:00.000Z {foreign}\n2024-01-01T00:00:00.000Z {line}\n")),
        ("aws logs get-query-results", serde_json::to_string_pretty(&insights).unwrap()),
        ("the console's JSON", json!([{ "@timestamp": "2024", "@message": line }]).to_string()),
        ("the console's JSON, parsed", json!([{ "@timestamp": "2024", "@message": parsed }]).to_string()),
        ("the console's CSV", format!("@timestamp,@message\n2024,\"{csv}\"\n2024,\"x \"\"y\"\"\"\n")),
        ("the Telemetry API", format!("{platform}\n{wrapped}\n{platform}\n")),
        (
            "the same through a subscription",
            json!({ "logEvents": [event(&wrapped.to_string())] }).to_string(),
        ),
        ("a record that is parsed", json!({ "type": "function", "record": parsed }).to_string()),
    ]
}

#[test]
fn every_form_of_a_log_gives_its_spans() {
    for (form, text) in forms("a \"span\" of \\ ünïcode 🦀\n") {
        let found = names(&text);
        assert_eq!(found.len(), 1, "{form}\n{text}");
        assert_eq!(found[0].1, "a \"span\" of \\ ünïcode 🦀\n", "{form}");
    }
}

#[test]
fn lines_are_counted() {
    let text = format!("foreign\n\n{}\nforeign\n{}", line("a"), line("b"));
    let (found, lines) = scanned(&text);
    assert_eq!(found, [(3, Ok("a".to_owned())), (5, Ok("b".to_owned()))]);
    assert_eq!(lines, (5, 2));
    assert_eq!(scanned("").1, (0, 0));
    assert_eq!(scanned("a\n").1, (1, 0));
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&line("a")).unwrap());
    let pretty = pretty.unwrap();
    let (found, lines) = scanned(&format!("{pretty}\nx"));
    assert_eq!(found, [(2, Ok("a".to_owned()))]);
    let all = pretty.lines().count() as u64;
    // All but the braces around it.
    assert_eq!(lines, (all + 1, all - 2));
}

#[test]
fn what_is_torn_is_told_and_the_next_is_found() {
    let whole = line("a");
    for end in 20..whole.len() - 2 {
        if !whole.is_char_boundary(end) {
            continue;
        }
        let torn = &whole[..end];
        for text in [
            format!("{torn}\n{whole}\n"),
            format!("{torn}\n2024-01-01T00:00:00.000Z {whole}\n"),
            format!("{torn}\nREPORT x\n{whole}\n"),
            json!([{ "message": torn }, { "message": whole }]).to_string(),
        ] {
            let (found, _) = scanned(&text);
            assert_eq!(found.iter().filter(|(_, found)| found.is_ok()).count(), 1, "{end} {text}");
            assert!(
                found.iter().any(|(line, found)| *line == 1 && found.is_err()),
                "{end} {text}: {found:?}"
            );
        }
    }
}

#[test]
fn what_only_mentions_a_request_is_none() {
    for text in [
        r#"{"message":"sent {\"resourceSpans\":[{\"scopeSpans\":[]}]}"}"#,
        r#"the member "resourceSpans": [{}] of a request"#,
        r#"{"resourceSpans":null,"resourceLogs":3}"#,
        r#"{"resourceSpans" [{}]}"#,
        r#"{"resourceSpansOfOthers":[{}]}"#,
        r#"{\\"resourceSpans\\":[{}]}"#,
    ] {
        assert_eq!(scanned(text).0, [], "{text}");
    }
    // Inside a span, which tells of it, it is the span's.
    let body = line("inner");
    assert_eq!(names(&line(&body)), [(1, body)]);
}

#[test]
fn what_is_no_otlp_is_told() {
    let (found, lines) = scanned("x\n{\"resourceSpans\":[{\"scopeSpans\":3}]}\n");
    let [(2, Err(why))] = &found[..] else { panic!("{found:?}") };
    assert!(why.contains("no OTLP"), "{why}");
    assert_eq!(lines, (2, 0));
}

#[test]
fn long_texts_are_read_within_bounds() {
    let long = "x".repeat(300_000);
    let text = format!("{long}\n{}\n{long}\n{}\n", line(&long), line("b"));
    let mut scanner = Scanner::new(Slowly(text.as_bytes(), 7777));
    while scanner.next().unwrap().is_some() {
        assert!(scanner.buffer.len() < 2_000_000);
    }
    assert_eq!(names(&text), [(2, long), (4, "b".to_owned())]);
}

proptest! {
    #[test]
    fn any_name_comes_out_of_any_form(name in ".{0,60}", chunk in 1_usize..3000) {
        for (form, text) in forms(&name) {
            let mut scanner = Scanner::new(Slowly(text.as_bytes(), chunk));
            let piece = scanner.next().unwrap().expect(form);
            let Ok(Found::Traces(groups, _)) = piece.found else { panic!("{form}: {:?}", piece.found) };
            prop_assert_eq!(&groups[0].scope_spans[0].spans[0].name, &name);
            prop_assert!(scanner.next().unwrap().is_none(), "{form}");
        }
    }

    #[test]
    fn any_text_is_read_to_its_end(
        pieces in prop::collection::vec(
            prop_oneof!["[\"{}\\[\\]\\\\,:\n ]{0,6}", Just("\"resourceSpans".to_owned()), Just("\"otlpPart\":{".to_owned()), ".{0,5}"],
            0..40,
        ),
    ) {
        let text = pieces.concat();
        let mut scanner = Scanner::new(text.as_bytes());
        while scanner.next().unwrap().is_some() {}
        prop_assert_eq!(scanner.lines().0, text.split_inclusive('\n').count() as u64);
    }
}
