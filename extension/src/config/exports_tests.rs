use super::{Export, HEADERS, PROTOCOL};
use crate::config::{Config, Notice, parse};
use crate::intake::Encoding;
use std::collections::HashMap;

fn read(pairs: &[(&str, &str)]) -> (Config, Vec<Notice>) {
    let variable = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    parse(&pairs.iter().map(variable).collect::<HashMap<_, _>>(), false)
}

fn names(config: &Config) -> Vec<String> {
    config.exports.iter().map(ToString::to_string).collect()
}

#[test]
fn several_destinations_have_headers_and_protocols_in_common_and_of_their_own() {
    let (config, notices) = read(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", " http://one , stdout,http://two,"),
        ("THROUGHLINE_EXPORT_HEADERS", "x-key=all,x-team=blue"),
        ("THROUGHLINE_EXPORT_HEADERS_3", "x-key=two"),
        ("THROUGHLINE_EXPORT_PROTOCOL_3", "http/json"),
    ]);
    assert_eq!(notices, []);
    assert_eq!(names(&config), ["http://one:80", "stdout", "http://two:80"]);
    let of = |at: usize| match &config.exports[at] {
        Export::Otlp { headers, encoding, .. } => {
            (headers["x-key"].as_bytes(), headers["x-team"].as_bytes(), *encoding)
        }
        _ => panic!("no headers"),
    };
    assert_eq!(of(0), (&b"all"[..], &b"blue"[..], Encoding::Protobuf));
    assert_eq!(of(2), (&b"two"[..], &b"blue"[..], Encoding::Json));
}

#[test]
fn metrics_and_logs_that_nobody_sent_are_for_those_who_take_some() {
    let (config, notices) = read(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "http://one,https://two/v1/traces,stdout,aws"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
    ]);
    assert_eq!(notices, []);
    let takers: Vec<_> = config.exports.iter().map(|export| export.takers()[1..].to_vec()).collect();
    assert_eq!(takers, [[true, true], [false, false], [true, false], [false, true]]);
}

#[test]
fn a_protocol_for_all_gives_way_to_one_of_its_own() {
    let (config, _) = read(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "http://one,http://two"),
        ("THROUGHLINE_EXPORT_PROTOCOL", "http/json"),
        ("THROUGHLINE_EXPORT_PROTOCOL_2", "http/protobuf"),
    ]);
    let encodings: Vec<_> = config
        .exports
        .iter()
        .map(|export| if let Export::Otlp { encoding, .. } = export { Some(*encoding) } else { None })
        .collect();
    assert_eq!(encodings, [Some(Encoding::Json), Some(Encoding::Protobuf)]);
}

#[test]
fn what_is_wrong_with_one_destination_leaves_the_others_standing() {
    for (value, used, said) in [
        ("http://one,nonsense", &["http://one:80"][..], "the other destinations are used"),
        ("http://one,http://one/", &["http://one:80"], "once is used"),
        ("stdout,STDOUT", &["stdout"], "once is used"),
        (
            "http://a,http://b,http://c,http://d,http://e",
            &["http://a:80", "http://b:80", "http://c:80", "http://d:80"],
            "the first 4 are used",
        ),
    ] {
        let (config, notices) = read(&[("THROUGHLINE_EXPORT_ENDPOINT", value)]);
        assert_eq!(names(&config), used, "{value}");
        let [notice] = notices.as_slice() else { panic!("one line, not {notices:?}") };
        assert!(notice.warning && notice.message.contains(said), "{notice:?}");
    }
    assert_eq!(names(&read(&[("THROUGHLINE_EXPORT_ENDPOINT", "nonsense,more")]).0), ["stdout"]);
}

#[test]
fn the_same_backend_with_other_headers_is_another_destination() {
    let (config, notices) = read(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "http://one,http://one"),
        ("THROUGHLINE_EXPORT_HEADERS_2", "x-dataset=two"),
    ]);
    assert_eq!((config.exports.len(), notices.len()), (2, 0));
}

#[test]
fn what_is_set_for_a_destination_that_is_not_there_is_told() {
    for variable in [HEADERS[2], PROTOCOL[4]] {
        let (_, notices) = read(&[("THROUGHLINE_EXPORT_ENDPOINT", "http://one"), (variable, "a=hunter2")]);
        let [notice] = notices.as_slice() else { panic!("one line, not {notices:?}") };
        assert!(notice.warning && notice.variable == variable && notice.value == "***", "{notice:?}");
    }
}

#[test]
fn a_bad_header_leaves_the_others_standing() {
    let (config, notices) = read(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "http://host"),
        ("THROUGHLINE_EXPORT_HEADERS", "a=1,nonsense,b=2"),
    ]);
    assert_eq!(notices.len(), 1);
    let [Export::Otlp { headers, .. }] = config.exports.as_slice() else { panic!("an endpoint") };
    assert_eq!(headers.len(), 2);
    assert!(!format!("{headers:?}").contains('1'), "header values are marked sensitive");
}

#[test]
fn its_own_listener_is_no_backend() {
    for (endpoint, own) in [
        ("http://localhost:4318", true),
        ("http://127.0.0.1:4318/v1/traces", true),
        ("http://[::1]:4318", true),
        ("http://127.0.0.1:4319", false),
        ("http://10.0.0.1:4318", false),
    ] {
        let (mut config, _) = read(&[("THROUGHLINE_EXPORT_ENDPOINT", endpoint)]);
        let notice = config.refuse_own_listener(([127, 0, 0, 1], 4318).into());
        assert_eq!((notice.is_some(), config.exports == [Export::Stdout]), (own, own), "{endpoint}");
    }
    let (mut config, _) =
        read(&[("THROUGHLINE_EXPORT_ENDPOINT", "http://one,http://localhost:4318,http://two")]);
    let notice = config.refuse_own_listener(([127, 0, 0, 1], 4318).into()).expect("one is its own");
    assert_eq!(notice.value, "http://localhost:4318");
    assert_eq!(names(&config), ["http://one:80", "http://two:80"]);
}
