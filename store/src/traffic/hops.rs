//! What travels from hop to hop, and how a run on the way begins and ends.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::spans::{Run, Say as _};
use super::{DOMAINS, Handed, Traffic, build};

/// On whose behalf.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) test: bool,
    pub(super) account: u64,
    pub(super) plan: &'static str,
}

/// What is carried from hop to hop.
#[derive(Clone, Debug)]
pub(super) struct Trip {
    pub(super) trace: u128,
    pub(super) entry: String,
    pub(super) correlation: String,
    pub(super) user: Option<User>,
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) trip: Trip,
    pub(super) span: u64,
    /// With the service that gave it: `sqs:2e1424d4-…`.
    pub(super) id: String,
    pub(super) at: u64,
}

/// An invocation that is to be made.
pub(super) struct Invocation<'a> {
    pub(super) domain: usize,
    pub(super) role: &'a str,
    pub(super) trip: &'a Trip,
    pub(super) parent: Option<u64>,
    pub(super) source: &'a str,
    /// Of another try it is that of the first.
    pub(super) request: Option<String>,
    pub(super) at: u64,
}

impl Traffic {
    pub(super) fn begin(&mut self, invocation: &Invocation<'_>) -> Run {
        let Invocation { domain, role, trip, parent, source, request, at } = invocation;
        let (id, clock) = (self.random.u64(..), self.clock(*at));
        let request = request.clone().unwrap_or_else(|| self.uuid());
        let mut run = Run::begin(trip, id, *parent, source, *at, clock);
        let head = run.head();
        if *role == "api" {
            head.kind = SpanKind::Server as i32;
        }
        head.say("faas.invocation_id", &request)
            .say("throughline.source", source)
            .say("throughline.build_id", &build(*domain, *at))
            .say("faas.mem_usage", &(60_000_000 + at / 1000 % 40_000_000).to_string());
        about(head, trip);
        run
    }

    /// Ends a run and hands it over. Whether it went well, or it is of no use to try again.
    pub(super) fn answer(&mut self, mut run: Run, domain: usize, role: &str, trip: &Trip, at: u64) -> bool {
        let function = format!("{}-{role}", DOMAINS[domain]);
        let (sandbox, cold) = self.sandbox(&function, at);
        let fault = self.fault(&function, trip, at);
        let mut micros = self.around(20_000);
        let head = run.head();
        if cold {
            head.say("faas.coldstart", "true");
            micros += 350_000;
        }
        if let Some(fault) = &fault {
            head.fail(fault.kind, &fault.message);
            micros += fault.longer;
        }
        if role == "api" {
            head.say("http.response.status_code", if fault.is_some() { "500" } else { "200" });
        }
        let (request, logs) = run.end(&function, &sandbox, micros);
        self.ready.push_back(Handed { function, sandbox, at, request, logs });
        fault.is_none_or(|fault| !fault.passes && self.random.bool())
    }

    pub(super) fn database<'a>(&mut self, run: &'a mut Run, domain: usize, operation: &str) -> &'a mut Span {
        let (id, micros) = (self.random.u64(..), self.around(6_000));
        run.call(id, SpanKind::Client, operation, micros)
            .say("db.system.name", "aws.dynamodb")
            .say("db.collection.name", DOMAINS[domain])
    }

    pub(super) fn third_party(&mut self, run: &mut Run, domain: usize) {
        let (id, micros) = (self.random.u64(..), self.around(80_000));
        run.call(id, SpanKind::Client, "POST", micros)
            .say("server.address", &format!("{}.example.com", DOMAINS[domain]))
            .say("http.request.method", "POST");
    }

    pub(super) fn send(&mut self, run: &mut Run, trip: &Trip, service: &str, to: &str) -> Sent {
        let (span, message, micros) = (self.random.u64(..), self.uuid(), self.around(9_000));
        let id = format!("{service}:{message}");
        run.call(span, SpanKind::Producer, "send", micros)
            .say("messaging.system", &format!("aws_{service}"))
            .say("messaging.destination.name", to)
            .say("messaging.message.id", &message)
            .say("throughline.injected", "attributes")
            .list("throughline.join.out", &id);
        Sent { trip: trip.clone(), span, id, at: run.until() }
    }
}

/// What each span of a transaction says of it.
pub(super) fn about(span: &mut Span, trip: &Trip) {
    span.say("correlation.id", &trip.correlation);
    if !trip.entry.is_empty() {
        span.say("throughline.entry", &trip.entry);
    }
    if let Some(user) = &trip.user {
        span.say("user.id", &user.id)
            .say("account.id", &format!("a-{:03}", user.account))
            .say("account.plan", user.plan);
        if user.test {
            span.say("user.test", "true");
        }
    }
}
