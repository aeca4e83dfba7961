//! The drills. What each is about, and how one finds it, is on its page in `docs/drills`.

use std::time::Duration;

use super::super::fault::{Does, Fault, Trouble};
use super::{Drill, Expected, Ordered, Symptom};

/// A tea pot for somebody.
const fn pot(user: &'static str) -> Ordered {
    Ordered { user, account: None, test: false, quantity: 1, price_cents: 4900 }
}

const fn of(account: &'static str, plan: &'static str, ordered: Ordered) -> Ordered {
    Ordered { account: Some((account, plan)), ..ordered }
}

/// A robot of the tests: whatever hits it hits nobody.
const ROBOT: Ordered = Ordered { test: true, ..pot("robot-1") };
const ALL: [Ordered; 5] = [pot("u-1042"), pot("u-0007"), pot("u-2210"), pot("u-0815"), pot("u-4711")];

/// What all have in common: builds are told, and one knows each order by a name of its own. No order waits for another.
const ALONE: Fault = Fault { batch_size: 1, env: NAMED, ..Fault::NONE };
const NAMED: &[(&str, &str)] = &[("THROUGHLINE_TRUST_INBOUND", "baggage")];

pub(super) const DRILLS: &[Drill] = &[
    Drill {
        name: "swallowed-error",
        broken: "the fraud check is down for two customers; the function that asks it drops the error, another one fails",
        fault: Fault {
            fraud_check: true,
            troubles: &[Trouble { path: "/scores", users: &["u-0007", "u-2210"], what: Does::Answer(503) }],
            ..ALONE
        },
        waves: &[&ALL],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "payment-worker",
            error: "payment_worker::PaymentError",
            says: "402 Payment Required",
            upstream: "checkout-api",
            third_party: "fraud.localhost",
            users: &["u-0007", "u-2210"],
            ..Expected::NOTHING
        },
        commands: &["impact payment-worker", "errors", "trace swallowed-error-2"],
    },
    Drill {
        name: "poison-message",
        broken: "one message kills the function that reads it, and with it the batch, until all are dead letters",
        fault: Fault {
            bug: Some(("payment-worker", "instalments")),
            // All four in one batch, however slow the machine is.
            batch_size: 4,
            window: Duration::from_secs(5),
            ..ALONE
        },
        waves: &[&[pot("u-1042"), Ordered { price_cents: 0, ..pot("u-0815") }, pot("u-0007"), pot("u-2210")]],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "payment-worker",
            error: "Runtime.ExitError",
            suspect: "u-0815",
            users: &["u-0007", "u-0815", "u-1042", "u-2210"],
            ..Expected::NOTHING
        },
        commands: &["impact payment-worker", "errors", "trace poison-message-2"],
    },
    Drill {
        name: "slow-third-party",
        broken: "the payment provider takes a second and a half for the customers of one bank",
        fault: Fault {
            troubles: &[Trouble {
                path: "/charges",
                users: &["u-0815", "u-2210"],
                what: Does::Take(Duration::from_millis(1500)),
            }],
            ..ALONE
        },
        waves: &[&ALL],
        symptom: Symptom::SlowCalls,
        expected: Expected {
            function: "payment-worker",
            third_party: "payments.localhost",
            users: &["u-0815", "u-2210"],
            ..Expected::NOTHING
        },
        commands: &[
            "map --function payment-worker",
            "traces --function payment-worker --longer-than 1s",
            "trace slow-third-party-3",
        ],
    },
    Drill {
        name: "timeout",
        broken: "the bank of two customers does not answer, and payment-worker waits for longer than its second",
        fault: Fault {
            timeout: Some(("payment-worker", Duration::from_secs(1))),
            troubles: &[Trouble {
                path: "/charges",
                users: &["u-0007", "u-4711"],
                what: Does::Take(Duration::from_secs(20)),
            }],
            max_receives: 2,
            ..ALONE
        },
        waves: &[&ALL],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "payment-worker",
            error: "Sandbox.Timedout",
            third_party: "payments.localhost",
            users: &["u-0007", "u-4711"],
            ..Expected::NOTHING
        },
        commands: &["impact payment-worker", "errors", "trace timeout-2"],
    },
    Drill {
        name: "out-of-memory",
        broken: "a large order does not fit into fulfilment's memory, and the platform kills it",
        fault: Fault { bug: Some(("fulfilment", "pick-list")), memory: Some(("fulfilment", 128)), ..ALONE },
        waves: &[&[
            pot("u-1042"),
            Ordered { quantity: 2000, ..of("acme", "team", pot("u-2210")) },
            pot("u-0007"),
        ]],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "fulfilment",
            error: "Runtime.OutOfMemory",
            users: &["u-2210"],
            ..Expected::NOTHING
        },
        commands: &["impact fulfilment", "functions --function fulfilment", "trace out-of-memory-2"],
    },
    Drill {
        name: "bad-deploy",
        broken: "a new build of payment-worker cannot read the number of one user",
        fault: Fault { bug: Some(("payment-worker", "octal-users")), deployed: true, ..ALONE },
        waves: &[&ALL, &ALL],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "payment-worker",
            error: "payment_worker::PaymentError",
            says: "the number of user u-0815: invalid digit found in string",
            build: super::BUILDS[1],
            users: &["u-0815"],
            ..Expected::NOTHING
        },
        commands: &[
            "impact payment-worker",
            "functions --function payment-worker --builds",
            "trace bad-deploy-9",
            "trace bad-deploy-4",
        ],
    },
    Drill {
        name: "retry-storm",
        broken: "the payment provider is down, payment-worker asks it three times at once, and the queue again and again",
        fault: Fault {
            bug: Some(("payment-worker", "eager-retries")),
            troubles: &[Trouble { path: "/charges", users: &[], what: Does::Answer(503) }],
            max_receives: 5,
            ..ALONE
        },
        waves: &[&[pot("u-1042"), pot("u-0007"), ROBOT]],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "payment-worker",
            error: "payment_worker::PaymentError",
            says: "503 Service Unavailable",
            third_party: "payments.localhost",
            users: &["u-0007", "u-1042"],
            ..Expected::NOTHING
        },
        commands: &["impact payment-worker", "map --function payment-worker", "trace retry-storm-1"],
    },
    Drill {
        name: "loop",
        broken: "the mailbox of one customer is full, and email-sender writes of that into the queue that it reads",
        fault: Fault {
            bug: Some(("email-sender", "bounces")),
            env: &[("THROUGHLINE_TRUST_INBOUND", "baggage"), ("THROUGHLINE_ON_LOOP", "refuse")],
            troubles: &[Trouble { path: "/mails", users: &["u-4711"], what: Does::Answer(422) }],
            ..ALONE
        },
        waves: &[&[pot("u-1042"), pot("u-4711"), pot("u-0007")]],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "email-sender",
            error: "Throughline.LoopRefused",
            users: &["u-4711"],
            ..Expected::NOTHING
        },
        commands: &["impact email-sender", "map --function email-sender", "trace loop-2"],
    },
    Drill {
        name: "lost-hop",
        broken: "fulfilment writes lines with semicolons into a stream of JSON: its reader fails, and the context is lost",
        fault: Fault { bug: Some(("fulfilment", "csv")), ..ALONE },
        waves: &[&[pot("u-1042"), pot("u-0007"), pot("u-2210")]],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "audit-trail",
            error: "audit_trail::AuditError",
            says: "expected value",
            upstream: "fulfilment",
            users: &["u-0007", "u-1042", "u-2210"],
            ..Expected::NOTHING
        },
        commands: &[
            "impact audit-trail",
            "errors",
            "trace lost-hop-1",
            "trace lost-hop-2",
            "trace lost-hop-3",
        ],
    },
    Drill {
        name: "vip-only",
        broken: "payment-worker knows no credit limit for enterprises: the one customer on that plan can't order",
        fault: Fault { bug: Some(("payment-worker", "credit")), ..ALONE },
        waves: &[&[
            of("tiny", "team", pot("u-1042")),
            of("acme", "enterprise", pot("u-2210")),
            pot("u-0007"),
            of("robots", "enterprise", ROBOT),
            of("tiny", "team", pot("u-0815")),
        ]],
        symptom: Symptom::Failures,
        expected: Expected {
            function: "payment-worker",
            error: "payment_worker::PaymentError",
            says: "no credit limit is set for plan enterprise",
            users: &["u-2210"],
            ..Expected::NOTHING
        },
        commands: &["impact payment-worker", "traces --failed --no-test-users", "trace vip-only-2"],
    },
    Drill {
        name: "cold-start-spike",
        broken: "a new build of checkout-api starts slowly, and goes out just before everybody orders at once",
        fault: Fault {
            bug: Some(("checkout-api", "slow-start")),
            deployed: true,
            at_once: Some(("checkout-api", 5)),
            env: &[("THROUGHLINE_TRUST_INBOUND", "baggage"), ("THROUGHLINE_PHASES", "cold-starts")],
            ..ALONE
        },
        waves: &[&[pot("u-1042")], &ALL],
        symptom: Symptom::ColdStarts,
        expected: Expected {
            function: "checkout-api",
            build: super::BUILDS[1],
            users: &["u-0007", "u-0815", "u-1042", "u-2210", "u-4711"],
            ..Expected::NOTHING
        },
        commands: &[
            "functions --function checkout-api --builds",
            "traces --function checkout-api",
            "trace cold-start-spike-3",
        ],
    },
    Drill {
        name: "backlog",
        broken: "the mail provider has become slow, email-sender sends one mail at a time, and mails wait in the queue",
        fault: Fault {
            troubles: &[Trouble { path: "/mails", users: &[], what: Does::Take(Duration::from_secs(1)) }],
            ..ALONE
        },
        // Three of each: who comes first waits for nothing, and two of one user may.
        waves: &[&[
            ALL[0], ALL[1], ALL[2], ALL[3], ALL[4], ALL[0], ALL[1], ALL[2], ALL[3], ALL[4], ALL[0], ALL[1],
            ALL[2], ALL[3], ALL[4],
        ]],
        symptom: Symptom::Waiting,
        expected: Expected {
            function: "email-sender",
            third_party: "mail.localhost",
            users: &["u-0007", "u-0815", "u-1042", "u-2210", "u-4711"],
            ..Expected::NOTHING
        },
        commands: &[
            "map --function email-sender",
            "functions",
            "traces --function email-sender",
            "trace backlog-15",
        ],
    },
];
