//! Step Functions: an execution is begun in its caller's trace, and its name and input stay what they are. Only moto
//! offers it, and its executions run no function, so the task is made here of the request.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::ProvideErrorMetadata as _;
use aws_sdk_sfn::operation::start_execution::builders::StartExecutionFluentBuilder;
use http::Response;
use serde_json::{Value, json};

use crate::check::{consumer, injections, outcome, producer};
use crate::emulator::{Emulator, clients, sdk, unique};
use crate::function::{Call, Function, TRACE};
use crate::proxy::Proxy;

const INPUT: &str = "{\"order\": 1.50, \"b\":\"ü\"}";

/// A state machine.
struct Machine {
    proxy: Proxy,
    arn: String,
}

impl Machine {
    async fn new(emulator: &Emulator) -> Self {
        let mut arn = "arn:aws:states:us-east-1:123456789012:stateMachine:orders".to_owned();
        if emulator.is_moto() {
            let definition = json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "End": true } } });
            let request = json!({
                "name": unique("orders"),
                "definition": definition.to_string(),
                "roleArn": "arn:aws:iam::123456789012:role/orders",
            });
            let made = emulator.call("states", "AWSStepFunctions.CreateStateMachine", &request).await;
            made["stateMachineArn"].as_str().unwrap().clone_into(&mut arn);
        }
        let proxy = Proxy::recording(emulator, |request| {
            let request: Value = serde_json::from_slice(request.body()).unwrap();
            let name = request["name"].as_str().unwrap();
            let arn = format!("arn:aws:states:us-east-1:123456789012:execution:orders:{name}");
            Response::new(json!({ "executionArn": arn, "startDate": 1 }).to_string().into())
        });
        Self { proxy: proxy.await, arn }
    }

    fn start(&self, client: &Client, name: &str, input: &str) -> StartExecutionFluentBuilder {
        client.start_execution().state_machine_arn(&self.arn).name(name).input(input)
    }
}

#[tokio::test]
async fn an_execution_is_started_with_the_header_and_its_input_as_it_is() {
    let emulator = Emulator::start().await;
    let machine = Machine::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_sfn, sdk(machine.proxy.endpoint()).await);
    machine.start(&plain, "without", INPUT).send().await.unwrap();
    let (sender, call) = (Function::new(), machine.start(&traced, "with", INPUT));
    let started = sender.sends(async || call.send().await).await.unwrap();

    let [mut without, mut with] = machine.proxy.bodies().try_into().unwrap();
    let header = with.as_object_mut().unwrap().remove("traceHeader").unwrap();
    assert_eq!((without["name"].take(), with["name"].take()), (json!("without"), json!("with")));
    assert_eq!(with, without);
    if emulator.is_moto() {
        let described = plain.describe_execution().execution_arn(started.execution_arn()).send().await;
        assert_eq!(described.unwrap().input(), Some(INPUT));
    }
    assert_eq!(injections(&sender), [outcome("header", None)]);

    // A task's function is invoked in the trace of the header.
    let receiver = Function::new();
    let call = Call::of_bytes(INPUT).traced(header.as_str().unwrap());
    receiver.invoke(call, async |seen| assert_eq!(seen.get(), INPUT)).await;
    let invoked = receiver.invocation();
    let join = format!("sfn:{}", started.execution_arn());
    assert_eq!(invoked.span.trace_id, producer(&sender, &join).span.trace_id);
    // One whose input names the execution joins by it.
    let receiver = Function::new();
    let input = json!({ "Execution": { "Id": started.execution_arn() } });
    receiver.invoke(Call::of(&input), async |_| ()).await;
    assert!(consumer(&receiver, &join).is_invocation());
}

#[tokio::test]
async fn a_start_of_a_known_name_is_answered_as_without_us() {
    let emulator = Emulator::start().await;
    let machine = Machine::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_sfn, sdk(machine.proxy.endpoint()).await);
    let sender = Function::new();
    let mut arns = Vec::new();
    // The first is without us: what another of us, or an older version, has begun is known to those after it.
    for client in [&plain, &traced, &traced, &plain] {
        let call = machine.start(client, "o-1", INPUT);
        arns.push(sender.sends(async || call.send().await).await.unwrap().execution_arn);
    }
    assert!(arns.iter().all(|arn| *arn == arns[0]), "{arns:?}");
    for mut request in machine.proxy.bodies() {
        request.as_object_mut().unwrap().remove("traceHeader");
        assert_eq!(request, json!({ "stateMachineArn": machine.arn, "name": "o-1", "input": INPUT }));
    }
    if !emulator.is_moto() {
        return;
    }
    for client in [&plain, &traced] {
        let call = machine.start(client, "o-1", "{}");
        let error = sender.sends(async || call.send().await).await.unwrap_err();
        assert_eq!(error.code(), Some("ExecutionAlreadyExists"));
    }
}

#[tokio::test]
async fn the_header_is_left_out_where_it_would_be_too_long() {
    const LIMIT: usize = 256;
    let emulator = Emulator::start().await;
    let machine = Machine::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_sfn, sdk(machine.proxy.endpoint()).await);
    let root = format!("Root=1-{}-{};Parent=00f067aa0ba902b7;Sampled=1;Lineage=", &TRACE[..8], &TRACE[8..]);
    for (length, expected) in
        [(LIMIT, outcome("header", None)), (LIMIT + 1, outcome("header", Some("too-large")))]
    {
        let header = format!("{root}{}", "x".repeat(length - root.len()));
        let (sender, name) = (Function::new(), format!("o-{length}"));
        let call = machine.start(&traced, &name, INPUT);
        sender.invoke(Call::of(&json!({})).traced(&header), async |_| call.send().await).await.unwrap();
        let sent = machine.proxy.bodies().pop().unwrap();
        assert_eq!(sent["traceHeader"].as_str().map(str::len), (length == LIMIT).then_some(LIMIT));
        assert_eq!(injections(&sender), [expected]);
        // The header of the request names the sender all the same, and keeps what it does not know.
        let request = machine.proxy.requests().pop().unwrap();
        let header = request.headers()["x-amzn-trace-id"].to_str().unwrap();
        assert!(header.contains(";Lineage=xxx") && header.len() == length, "{header}");
    }
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let machine = Machine::new(&emulator).await;
    let flaky = Proxy::flaky(2, machine.proxy.endpoint()).await;
    let (traced, _) = clients!(aws_sdk_sfn, sdk(flaky.endpoint()).await);
    let (sender, call) = (Function::new(), machine.start(&traced, "o-1", INPUT));
    let started = sender.sends(async || call.send().await).await.unwrap();
    flaky.assert_same(3);
    let producer = producer(&sender, &format!("sfn:{}", started.execution_arn()));
    assert_eq!(producer.attribute("http.request.resend_count").as_deref(), Some("2"));
}
