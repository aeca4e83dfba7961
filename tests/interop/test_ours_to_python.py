"""A message that our interceptor made is continued by OpenTelemetry's own instrumentation."""

import boto3
import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.instrumentation.boto3sqs import boto3sqs_getter
from opentelemetry.propagators.aws import AwsXRayLambdaPropagator, AwsXRayPropagator
from opentelemetry.trace import SpanKind

import their_tracing
from their_tracing import ids


def received_by_theirs(queue):
    """Takes all messages off the queue with their instrumentation; each with the span that processed it."""
    with their_tracing.boto3sqs() as theirs:
        sqs = boto3.client("sqs")
        answer = sqs.receive_message(
            QueueUrl=queue.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["AWSTraceHeader"]
        )
        messages = list(answer["Messages"])
        for message in messages:
            sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    spans = {
        span.attributes["messaging.message.id"]: span
        for span in theirs.spans(SpanKind.CONSUMER)
        if span.name == f"{queue.name} process"
    }
    return [(message, spans[message["MessageId"]]) for message in messages]


def assert_continued(message, process, sender):
    """Their span that processed `message` is linked to ours that sent it; the baggage arrived."""
    assert [ids(link.context) for link in process.links] == [(sender.trace_id, sender.span_id)]
    carried = baggage.get_all(propagate.extract(message["MessageAttributes"], getter=boto3sqs_getter))
    assert carried["tenant"] == "acme"
    assert carried["correlation.id"] == sender.attributes["correlation.id"]


def test_sqs_message(queue, producer):
    run = producer.invoke({"call": "SendMessage", "queue_url": queue.url, "body": "hello"})

    ((message, process),) = received_by_theirs(queue)
    sender = run.producer(message["MessageId"])

    assert_continued(message, process, sender)
    assert (sender.trace_id, sender.parent) == (run.invocation().trace_id, run.invocation().span_id)


def test_sqs_batch(queue, producer):
    run = producer.invoke({"call": "SendMessageBatch", "queue_url": queue.url, "bodies": ["one", "two", "three"]})

    received = received_by_theirs(queue)

    assert sorted(message["Body"] for message, _ in received) == ["one", "three", "two"]
    senders = [run.producer(message["MessageId"]) for message, _ in received]
    assert len({sender.span_id for sender in senders}) == 3
    for (message, process), sender in zip(received, senders, strict=True):
        assert_continued(message, process, sender)


@pytest.mark.parametrize(
    "call",
    [{"call": "Publish", "body": "one"}, {"call": "PublishBatch", "bodies": ["one", "two"]}],
    ids=lambda call: call["call"],
)
def test_sns_message_in_a_queue(call, queue, topic, producer):
    """With raw delivery: their instrumentation does not look into a topic's envelope."""
    run = producer.invoke(call | {"topic_arn": topic(raw=True)})

    received = received_by_theirs(queue)

    senders = [span for span in run.spans if "throughline.injected" in span.attributes]
    assert len(received) == len(senders)
    by_span_id = {sender.span_id: sender for sender in senders}
    for message, process in received:
        (link,) = process.links
        assert_continued(message, process, by_span_id.pop(ids(link.context)[1]))


def test_x_ray_header(queue, producer):
    """Who knows only X-Ray's header, as their instrumentation of Lambda functions, continues it too."""
    run = producer.invoke({"call": "SendMessage", "queue_url": queue.url, "body": "hello"})

    ((message, _),) = received_by_theirs(queue)
    sender = run.producer(message["MessageId"])

    context = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": message["Attributes"]["AWSTraceHeader"]})
    assert ids(trace.get_current_span(context).get_span_context()) == (sender.trace_id, sender.span_id)


def test_function_behind_a_queue(queue, producer):
    run = producer.invoke({"call": "SendMessageBatch", "queue_url": queue.url, "bodies": ["one", "two"]})

    messages = queue.receive()
    with their_tracing.function() as (theirs, invoke):
        invoke(queue.event(messages))

    (process,) = theirs.spans(SpanKind.CONSUMER)
    senders = [run.producer(message["MessageId"]) for message in messages]
    assert len(senders) == 2
    assert [ids(link.context) for link in process.links] == [(sender.trace_id, sender.span_id) for sender in senders]


def trace_header(wire, call):
    """The header with which AWS runs what our function has started."""
    if call in ("Invoke", "Publish"):
        return wire.request(call).trace_header
    if call == "PutEvents":
        (entry,) = wire.request(call).json["Entries"]
        return entry["TraceHeader"]
    return wire.request(call).json["traceHeader"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["waiting", "asynchronous"])
def test_function_that_is_invoked(asynchronous, wire, producer):
    """Their instrumentation sees no client context: AWS's own header says who invoked it."""
    request = {"call": "Invoke", "function": "theirs", "body": '{"order":7}', "asynchronous": asynchronous}
    assert_parent(producer.invoke(request), trace_header(wire, "Invoke"))


def test_function_behind_a_bus(bus, wire, producer):
    run = producer.invoke({"call": "PutEvents", "bus": bus, "bodies": ['{"order":7}']})
    assert_parent(run, trace_header(wire, "PutEvents"))


def test_function_behind_a_topic(topic, wire, producer):
    run = producer.invoke({"call": "Publish", "topic_arn": topic(raw=False), "body": "hello"})
    assert_parent(run, trace_header(wire, "Publish"))


def test_function_in_a_state_machine(machine, wire, producer):
    run = producer.invoke({"call": "StartExecution", "machine_arn": machine, "body": '{"order":7}'})
    assert wire.request("StartExecution").json["input"] == '{"order":7}'
    assert_parent(run, trace_header(wire, "StartExecution"))


def assert_parent(run, header):
    """Their function that AWS runs with `header` is the child of our call."""
    propagator = their_tracing.propagators(AwsXRayLambdaPropagator())
    with propagator, their_tracing.function() as (theirs, invoke):
        invoke({"order": 7}, trace_header=header)
    (server,) = theirs.spans(SpanKind.SERVER)
    (sender,) = [span for span in run.spans if "throughline.injected" in span.attributes]
    assert ids(server.parent) == (sender.trace_id, sender.span_id)
