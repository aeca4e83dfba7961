//! Services of other tools, whose spans say neither request id nor source.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::Filter;
use crate::testing::{Told as _, otlp, span};

const THEN: u64 = NOW - 2 * 3_600_000;

fn of(kind: SpanKind, id: u64, parent: Option<u64>) -> Span {
    Span { kind: kind as i32, ..span(1, id, parent).at(THEN, 5) }
}

fn web(host: &str) -> ExportTraceServiceRequest {
    let came_in = of(SpanKind::Server, 1, None).attribute("http.method", "GET");
    let came_in = came_in.attribute("http.route", "/").attribute("http.status_code", "500").failed("", "no");
    let call = of(SpanKind::Client, 2, Some(1)).attribute("rpc.system", "grpc");
    otlp("web", [came_in, call.attribute("net.peer.name", host)])
}

fn cart() -> ExportTraceServiceRequest {
    let query =
        of(SpanKind::Client, 4, Some(3)).attribute("db.system", "redis").attribute("db.name", "carts");
    otlp("cart", [of(SpanKind::Server, 3, Some(2)), query])
}

async fn edges(table: &Table) -> Vec<(String, String)> {
    let map = table.reader().map(Window::new(THEN - 3_600_000, NOW)).await.unwrap().found;
    map.edges.into_iter().map(|edge| (edge.from, edge.to)).collect()
}

fn drawn(called: &str) -> Vec<(String, String)> {
    let mut edges = [("cart", "redis carts"), ("http GET /", "web"), ("web", called)];
    edges.sort_unstable();
    edges.map(|(from, to)| (from.to_owned(), to.to_owned())).into()
}

#[tokio::test]
async fn one_leads_to_another_where_both_came_together() {
    let table = Table::new().await;
    let mut both = web("10.0.0.7");
    both.resource_spans.extend(cart().resource_spans);
    table.write(both).await;
    assert_eq!(edges(&table).await, drawn("cart"));
}

#[tokio::test]
async fn and_else_where_the_host_has_its_name_or_all_is_counted_anew() {
    for (host, called) in [("cart", "cart"), ("10.0.0.7", "grpc 10.0.0.7")] {
        let table = Table::new().await;
        let writer = table.writer();
        write(&writer, cart()).await;
        write(&writer, web(host)).await;
        assert_eq!(edges(&table).await, drawn(called));
        let all = Window::new(THEN - 3_600_000, NOW);
        writer.rebuild_totals(all, at(NOW), soon(), |_| ()).await.unwrap();
        assert_eq!(edges(&table).await, drawn("cart"));
    }
}

#[tokio::test]
async fn a_status_says_of_what_kind_an_error_is() {
    let table = Table::new().await;
    let mut request = web("cart");
    request.resource_spans[0].scope_spans[0].spans[0].attributes.retain(|pair| pair.key != "error.type");
    table.write(request).await;
    let window = Window::new(THEN - 1, NOW);
    let failed = table.reader().failures("web", window, &Filter::default(), 9).await.unwrap().found;
    let [card] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!(card.error.as_ref().map(|error| error.kind.as_str()), Some("500"));
    assert_eq!((card.http_status, card.entry.as_deref()), (Some(500), Some("http GET /")));
}
