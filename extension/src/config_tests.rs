use super::{Config, Export, Notice, parse};
use crate::facts::{Phases, Temporality};
use crate::flush::Policy;
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

fn read(pairs: &[(&str, &str)]) -> (Config, Vec<Notice>) {
    parse(&variables(pairs), false)
}

fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The configuration of one variable, with the one warning that is expected about it.
fn warned(name: &str, value: &str) -> (Config, Notice) {
    let (config, notices) = read(&[("THROUGHLINE_EXPORT_ENDPOINT", "stdout"), (name, value)]);
    let [notice] = notices.as_slice() else { panic!("one line about {name}={value}, not {notices:?}") };
    assert!(notice.warning && notice.variable == name, "{notice:?}");
    (config, notice.clone())
}

#[test]
fn an_empty_environment_gives_the_defaults_and_says_where_spans_go() {
    let (config, notices) = read(&[]);
    assert!(config.enabled && !config.managed_instances);
    assert_eq!((config.listen, config.buffer_bytes), (4318, 4 * 1024 * 1024));
    assert_eq!((config.budget, config.exports), (Duration::from_millis(250), vec![Export::Stdout]));
    assert!(config.flush == Policy::Adaptive && config.ample);
    assert_eq!(notices.len(), 1);
    assert!(!notices[0].warning && notices[0].variable == "THROUGHLINE_EXPORT_ENDPOINT");
}

#[test]
fn phases_are_of_cold_starts_of_all_or_of_none() {
    for (value, phases) in [
        ("off", Phases::Off),
        ("cold-starts", Phases::ColdStarts),
        ("ALL", Phases::All),
        ("", Phases::ColdStarts),
    ] {
        let (config, notices) =
            read(&[("THROUGHLINE_EXPORT_ENDPOINT", "stdout"), ("THROUGHLINE_PHASES", value)]);
        assert_eq!((config.facts.phases, notices), (phases, vec![]), "{value}");
    }
    assert_eq!(warned("THROUGHLINE_PHASES", "some").0.facts.phases, Phases::ColdStarts);
}

#[test]
fn metrics_are_told_if_it_is_said_how_they_count() {
    for (value, metrics) in [
        ("off", None),
        ("Delta", Some(Temporality::Delta)),
        ("cumulative", Some(Temporality::Cumulative)),
        ("", None),
    ] {
        let (config, notices) =
            read(&[("THROUGHLINE_EXPORT_ENDPOINT", "stdout"), ("THROUGHLINE_METRICS", value)]);
        assert_eq!((config.facts.metrics, notices), (metrics, vec![]), "{value}");
    }
    assert_eq!(warned("THROUGHLINE_METRICS", "on").0.facts.metrics, None);
}

#[test]
fn logs_are_told_to_those_who_take_them() {
    for (endpoint, value, logs, warnings) in [
        ("https://api.example.com", "on", true, 0),
        ("https://api.example.com", "off", false, 0),
        ("https://api.example.com", "yes", false, 1),
        ("https://api.example.com/v1/traces", "on", false, 1),
        ("stdout", "on", false, 1),
        ("stdout,https://api.example.com", "ON", true, 0),
    ] {
        let (config, notices) =
            read(&[("THROUGHLINE_EXPORT_ENDPOINT", endpoint), ("THROUGHLINE_LOGS", value)]);
        assert_eq!((config.facts.logs, notices.len()), (logs, warnings), "{endpoint} {value}: {notices:?}");
    }
}

#[test]
fn good_values_are_taken_without_a_word() {
    let (config, notices) = read(&[
        ("THROUGHLINE_ENABLED", "FALSE"),
        ("THROUGHLINE_LISTEN", "localhost:0"),
        ("THROUGHLINE_BUFFER_BYTES", "1000000"),
        ("THROUGHLINE_BUDGET_MS", " 40 "),
        ("THROUGHLINE_FLUSH", "interval=20s"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("THROUGHLINE_EXPORT_ENDPOINT", "https://api.example.com"),
        ("THROUGHLINE_EXPORT_HEADERS", "x-key=a%20b%3D, x-team = blue=1,"),
        ("THROUGHLINE_EXPORT_PROTOCOL", "http/protobuf"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances"),
    ]);
    assert_eq!(notices, []);
    assert!(!config.enabled && config.managed_instances && !config.ample);
    assert_eq!(config.flush, Policy::Interval(Duration::from_secs(20)));
    assert_eq!(
        (config.listen, config.buffer_bytes, config.budget),
        (0, 1_000_000, Duration::from_millis(40))
    );
    let [Export::Otlp { endpoint, headers, .. }] = config.exports.as_slice() else { panic!("an endpoint") };
    assert_eq!(endpoint.to_string(), "https://api.example.com:443");
    assert_eq!((headers["x-key"].as_bytes(), headers["x-team"].as_bytes()), (&b"a b="[..], &b"blue=1"[..]));
}

#[test]
fn a_collector_has_the_usual_port_to_itself() {
    for (value, port) in [("", 4319), ("nowhere", 4319), ("127.0.0.1:4318", 4318)] {
        let (config, _) = parse(&variables(&[("THROUGHLINE_LISTEN", value)]), true);
        assert_eq!(config.listen, port, "{value}");
    }
}

#[test]
fn each_bad_value_is_one_line_and_a_default() {
    let (defaults, _) = read(&[]);
    for (name, value) in [
        ("THROUGHLINE_ENABLED", "maybe"),
        ("THROUGHLINE_LISTEN", "0.0.0.0:4318"),
        ("THROUGHLINE_LISTEN", "[::1]:4318"),
        ("THROUGHLINE_LISTEN", "4318"),
        ("THROUGHLINE_BUFFER_BYTES", "4MiB"),
        ("THROUGHLINE_BUFFER_BYTES", "10"),
        ("THROUGHLINE_BUDGET_MS", "-1"),
        ("THROUGHLINE_BUDGET_MS", "99999999999999999999"),
        ("THROUGHLINE_FLUSH", "sometimes"),
        ("THROUGHLINE_FLUSH", "interval=20"),
        ("THROUGHLINE_EXPORT_ENDPOINT", "not a url"),
        ("THROUGHLINE_EXPORT_ENDPOINT", "aws"),
        ("THROUGHLINE_EXPORT_PROTOCOL", "grpc"),
    ] {
        let (config, notice) = warned(name, value);
        assert_eq!(config, defaults, "{name}={value}");
        assert!(notice.message.contains("used") || notice.message.contains("instead"), "{notice:?}");
    }
}

#[test]
fn secrets_are_not_in_the_notices() {
    for (name, value) in [
        ("THROUGHLINE_EXPORT_HEADERS", "hunter2"),
        ("THROUGHLINE_EXPORT_HEADERS", "bad name=hunter2"),
        ("THROUGHLINE_EXPORT_HEADERS", "x-key=%0Ahunter2"),
        ("THROUGHLINE_EXPORT_HEADERS", "Content-Type=hunter2"),
        ("THROUGHLINE_EXPORT_ENDPOINT", "https://me:hunter2@host"),
        ("THROUGHLINE_EXPORT_ENDPOINT", "ftp://host?key=hunter2"),
    ] {
        let (_, notice) = warned(name, value);
        assert!(!format!("{notice:?}").contains("hunter2"), "{notice:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(values in prop::collection::vec(".{0,40}", 8)) {
        let names = ["ENABLED", "LISTEN", "BUFFER_BYTES", "BUDGET_MS", "FLUSH", "EXPORT_ENDPOINT", "EXPORT_HEADERS", "EXPORT_PROTOCOL"];
        let env: HashMap<_, _> = names.iter().map(|name| format!("THROUGHLINE_{name}")).zip(values).collect();
        let (config, _) = parse(&env, false);
        prop_assert!(config.buffer_bytes > 0 && !config.budget.is_zero());
    }
}
