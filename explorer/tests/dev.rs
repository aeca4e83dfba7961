//! `throughline dev` as it runs: on a port of its own, with what exporters send, and what a web page might.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use tempfile::TempDir;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// The program, until it is dropped.
struct Dev {
    child: Child,
    told: BufReader<ChildStdout>,
    address: SocketAddr,
    folder: TempDir,
}

impl Dev {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        command.args(["dev", "--port", "0"]).env("XDG_RUNTIME_DIR", folder.path()).env("NO_COLOR", "1");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.ends_with("\n\n") {
            assert!(told.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        let after = said.split("OTLP_ENDPOINT=http://").nth(1).unwrap();
        let address = after.split_whitespace().next().unwrap().parse().unwrap();
        Self { child, told, address, folder }
    }

    /// The line that it tells next.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line
    }

    /// What another command says that is told of no store.
    fn ask(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        command.args(arguments).env("XDG_RUNTIME_DIR", self.folder.path());
        for name in ["THROUGHLINE_STORE_TABLE", "THROUGHLINE_STORE_FILE"] {
            command.env_remove(name);
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    fn send(&self, spans: Vec<Span>, service: &str) -> u16 {
        post(self.address, "localhost", PROTOBUF, "", &request(service, spans).encode_to_vec())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status of the answer.
fn post(to: SocketAddr, host: &str, content_type: &str, headers: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(to).unwrap();
    let length = body.len();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n{headers}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn request(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
    let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
    let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

/// That a service was called with, by that before it; each in a trace that is its first number.
fn span(trace: u8, id: u8, name: &str) -> Span {
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if id > 1 { vec![id - 1; 8] } else { Vec::new() },
        name: name.to_owned(),
        kind: SpanKind::Server as i32,
        start_time_unix_nano: now - 5_000_000,
        end_time_unix_nano: now,
        ..Span::default()
    }
}

#[test]
fn what_is_sent_is_told_and_asked_of_by_other_commands() {
    let mut dev = Dev::start();
    assert_eq!(dev.send(vec![span(7, 1, "GET /cart")], "web"), 200);
    let line = dev.line();
    assert!(line.contains("  web  GET /cart  5 ms  ok  trace 0707"), "{line}");

    let status = Some(Status { code: 2, message: "no database".to_owned() });
    let failed = Span { status, ..span(7, 2, "GET /items") };
    let json = serde_json::to_vec(&request("cart", vec![failed])).unwrap();
    assert_eq!(post(dev.address, "localhost", JSON, "", &json), 200);
    let line = dev.line();
    assert!(line.contains("  web  GET /cart  5 ms  ✗ cart: no database  trace 0707"), "{line}");

    let traces = dev.ask(&["traces"]);
    assert!(traces.contains("GET /cart") && traces.contains("1 failure"), "{traces}");
    let trace = dev.ask(&["trace", &"07".repeat(16)]);
    assert!(trace.contains("└─ web") && trace.contains("└─ cart"), "{trace}");
    assert!(trace.contains("✗ no database"), "{trace}");
}

#[test]
fn what_is_no_span_is_told_and_the_others_are_taken() {
    let mut dev = Dev::start();
    let mut json =
        serde_json::to_value(request("web", vec![span(6, 1, "GET /"), span(6, 2, "call")])).unwrap();
    json["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["spanId"] = "an id".into();
    assert_eq!(post(dev.address, "localhost", JSON, "", json.to_string().as_bytes()), 200);
    assert!(dev.line().contains("GET /"));
    let line = dev.line();
    assert!(line.contains("✗ 1 span not taken: spanId: "), "{line}");
}

/// With the preface of HTTP/2 (<https://www.rfc-editor.org/rfc/rfc9113#preface>).
#[test]
fn who_speaks_grpc_is_told_what_to_speak() {
    let mut dev = Dev::start();
    let mut stream = TcpStream::connect(dev.address).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let line = dev.line();
    assert!(line.contains("✗ gRPC is not taken: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"), "{line}");
    assert_eq!(dev.send(vec![span(7, 1, "GET /cart")], "web"), 200);
    assert!(dev.line().contains("GET /cart"));
}

#[test]
fn what_may_come_from_a_page_or_is_too_large_is_refused() {
    let dev = Dev::start();
    let body = request("web", vec![span(8, 1, "GET /")]).encode_to_vec();
    let sent =
        |host: &str, content_type: &str, headers: &str| post(dev.address, host, content_type, headers, &body);
    let port = dev.address.port();
    assert_eq!(sent("evil.example", PROTOBUF, ""), 403, "a name that leads here");
    assert_eq!(sent("localhost", PROTOBUF, "Origin: https://evil.example\r\n"), 403);
    assert_eq!(sent("localhost", PROTOBUF, &format!("Origin: http://localhost:{port}\r\n")), 403);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        assert_eq!(sent("localhost", content_type, ""), 415, "{content_type}");
    }
    assert_eq!(sent("localhost", PROTOBUF, "Content-Encoding: gzip\r\n"), 400, "it is none");
    assert_eq!(sent("localhost", PROTOBUF, "Content-Encoding: br\r\n"), 415);
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(&vec![0; 17 << 20]).unwrap();
    let bomb = zipped.finish().unwrap();
    assert_eq!(post(dev.address, "localhost", PROTOBUF, "Content-Encoding: gzip\r\n", &bomb), 413);
    assert_eq!(sent(&format!("127.0.0.1:{port}"), PROTOBUF, ""), 200, "it runs on");
}

/// `localhost` is `[::1]` to some exporters.
#[test]
fn it_listens_on_ipv6_where_the_machine_has_it() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let mut dev = Dev::start();
    let (port, body) = (dev.address.port(), request("web", vec![span(9, 1, "GET /")]).encode_to_vec());
    let to = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    assert_eq!(post(to, &format!("[::1]:{port}"), PROTOBUF, "", &body), 200);
    assert!(dev.line().contains("GET /"));
}
