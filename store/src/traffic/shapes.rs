//! The shapes of transactions.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::hops::{Invocation, Sent, Trip, about};
use super::spans::Say as _;
use super::{BATCH, DOMAINS, Traffic};
use crate::run::tail;

impl Traffic {
    /// One transaction, and the batches that it fills.
    pub(super) fn transaction(&mut self, domain: usize, at: u64) {
        match self.random.u8(..100) {
            0..90 => self.look(domain, at),
            90..99 => self.order(domain, at),
            _ => self.report(domain, at),
        }
    }

    /// An API that reads a table.
    fn look(&mut self, domain: usize, at: u64) {
        let entry = format!("http GET /{}/{{id}}", DOMAINS[domain]);
        let mut trip = self.trip(entry.clone());
        if self.chance(0.7) {
            // Nobody has signed in.
            trip.user = None;
        }
        let mut run = self.begin(&api(domain, &trip, &entry, at));
        self.database(&mut run, domain, "GetItem");
        self.answer(run, domain, "api", &trip, at);
    }

    /// An API that writes to a table and publishes; then the queue's worker, which sends on, and all that follows.
    fn order(&mut self, domain: usize, at: u64) {
        let name = DOMAINS[domain];
        let entry = format!("http POST /{name}");
        let trip = self.trip(entry.clone());
        let mut run = self.begin(&api(domain, &trip, &entry, at));
        let written = format!("dynamodb:{:016x}", self.random.u64(..));
        self.database(&mut run, domain, "PutItem").list("throughline.join.out", &written);
        let published = self.send(&mut run, &trip, "sns", &format!("{name}-placed"));
        let later = run.until();
        let well = self.answer(run, domain, "api", &trip, at);
        self.follow(domain, &written, later);
        if !well {
            return;
        }
        let source = format!("sqs {name}-work < sns {name}-placed");
        // A queue gives a message again; the third try is the last.
        for attempt in 1..=3_u64 {
            let at = published.at + attempt * 30_000 - 30_000 + self.around(120);
            let mut run = self.begin(&Invocation {
                domain,
                role: "worker",
                trip: &trip,
                parent: Some(published.span),
                source: &source,
                request: None,
                at,
            });
            run.head()
                .say("throughline.receive_count", &attempt.to_string())
                .say("messaging.message.id", tail(&published.id))
                .list("throughline.join.in", &published.id);
            self.third_party(&mut run, domain);
            let (mail, record) = (
                self.send(&mut run, &trip, "sns", &format!("{name}-mail")),
                self.send(&mut run, &trip, "kinesis", &format!("{name}-events")),
            );
            if self.answer(run, domain, "worker", &trip, at) {
                self.mail(domain, &mail);
                self.put(domain, record);
                return;
            }
        }
    }

    /// Invoked asynchronously: a retry has the request id of the first try.
    fn mail(&mut self, domain: usize, sent: &Sent) {
        let (source, request) = (format!("sns {}-mail", DOMAINS[domain]), self.uuid());
        for attempt in 0..3 {
            let at = sent.at + attempt * 60_000 + self.around(40);
            let mut run = self.begin(&Invocation {
                domain,
                role: "mailer",
                trip: &sent.trip,
                parent: Some(sent.span),
                source: &source,
                request: Some(request.clone()),
                at,
            });
            run.head().list("throughline.join.in", &sent.id);
            let (id, micros) = (self.random.u64(..), self.around(90_000));
            run.call(id, SpanKind::Client, "POST", micros)
                .say("server.address", "mail.example.com")
                .say("http.request.method", "POST");
            if self.answer(run, domain, "mailer", &sent.trip, at) {
                return;
            }
        }
    }

    /// A change of the table, which carries no context.
    fn follow(&mut self, domain: usize, written: &str, at: u64) {
        let source = format!("stream {}", DOMAINS[domain]);
        let trip = Trip { entry: source.clone(), user: None, ..self.trip(String::new()) };
        let at = at + self.around(200);
        let mut run = self.begin(&Invocation {
            domain,
            role: "projector",
            trip: &trip,
            parent: None,
            source: &source,
            request: None,
            at,
        });
        run.head().list("throughline.join.in", written);
        self.answer(run, domain, "projector", &trip, at);
    }

    /// A record of a stream; several make a batch.
    fn put(&mut self, domain: usize, record: Sent) {
        let Some(waiting) = self.streams.get_mut(domain) else { return };
        waiting.push(record);
        if waiting.len() < BATCH {
            return;
        }
        let records = std::mem::take(waiting);
        let source = format!("kinesis {}-events", DOMAINS[domain]);
        let at = records.iter().map(|record| record.at).max().unwrap_or_default() + self.around(100);
        let own = Trip { user: None, entry: String::new(), ..self.trip(String::new()) };
        let mut run = self.begin(&Invocation {
            domain,
            role: "ingest",
            trip: &own,
            parent: None,
            source: &source,
            request: None,
            at,
        });
        let head = u64::from_be_bytes(run.head().span_id.as_slice().try_into().unwrap_or_default());
        for record in &records {
            run.head().link(record.trip.trace, record.span);
            let (id, micros) = (self.random.u64(..), self.around(3_000));
            let span = run.call(id, SpanKind::Consumer, "process", micros);
            span.trace_id = record.trip.trace.to_be_bytes().to_vec();
            span.parent_span_id = record.span.to_be_bytes().to_vec();
            span.link(own.trace, head)
                .say("throughline.source", &source)
                .list("throughline.join.in", &record.id);
            about(span, &record.trip);
            if let Some(fault) = self.fault("ingest", &record.trip, at) {
                span.fail(fault.kind, &fault.message);
            }
        }
        self.answer(run, domain, "ingest", &own, at);
    }

    /// A schedule that sends some messages, each of which has a worker.
    fn report(&mut self, domain: usize, at: u64) {
        let entry = format!("schedule {}-report", DOMAINS[domain]);
        let trip = Trip { user: None, ..self.trip(entry.clone()) };
        let mut run = self.begin(&Invocation {
            domain,
            role: "report",
            trip: &trip,
            parent: None,
            source: &entry,
            request: None,
            at,
        });
        let queue = format!("{}-pages", DOMAINS[domain]);
        let pages: Vec<Sent> =
            (0..self.random.u8(2..20)).map(|_| self.send(&mut run, &trip, "sqs", &queue)).collect();
        self.answer(run, domain, "report", &trip, at);
        for page in pages {
            let source = format!("sqs {queue}");
            let at = page.at + self.around(300);
            let mut run = self.begin(&Invocation {
                domain,
                role: "page",
                trip: &trip,
                parent: Some(page.span),
                source: &source,
                request: None,
                at,
            });
            run.head().list("throughline.join.in", &page.id);
            self.database(&mut run, domain, "Query");
            self.answer(run, domain, "page", &trip, at);
        }
    }
}

fn api<'a>(domain: usize, trip: &'a Trip, source: &'a str, at: u64) -> Invocation<'a> {
    Invocation { domain, role: "api", trip, parent: None, source, request: None, at }
}
