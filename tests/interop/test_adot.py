"""OpenTelemetry as AWS's Distro sets it up in its layers: with X-Ray's propagator, for Python alone with that.

https://github.com/aws-observability/aws-otel-lambda/blob/main/adot/python/src/otel/otel_sdk/otel-instrument
The header is then a message attribute, or a value of the client context. No baggage comes with it.
"""

import boto3
import pytest
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.trace import SpanKind

import javascript
import their_tracing
from continuity import assert_continued
from javascript import PRODUCER, SERVER
from places import notification, notified_id


def call(service, command, **request):
    """Calls AWS with an instrumented client for Node."""
    return javascript.call(service, command, request, propagator="xray")


# === theirs to ours ===


def test_sqs_message_from_node(queue, consumer):
    theirs = call("SQS", "SendMessage", QueueUrl=queue.url, MessageBody="hello")

    (message,) = queue.receive()
    run = consumer.invoke(queue.event([message]))

    assert list(message["MessageAttributes"]) == ["x-amzn-trace-id"]
    assert_continued(run, message["MessageId"], theirs.sender(kind=PRODUCER))


def test_sns_message_from_node(queue, topic, consumer):
    theirs = call("SNS", "Publish", TopicArn=topic(raw=False), Message="hello")

    (message,) = queue.receive()
    runs = [consumer.invoke(event) for event in (queue.event([message]), notification(message))]

    for run, message_id in zip(runs, (message["MessageId"], notified_id(message)), strict=True):
        assert_continued(run, message_id, theirs.sender(kind=PRODUCER))


def test_lambda_invoke_from_node(wire, consumer):
    theirs = call("Lambda", "Invoke", FunctionName="ours", Payload='{"order":7}')

    run = consumer.invoke(**wire.request("Invoke").invocation())

    assert_continued(run, "event", theirs.sender(name="ours Invoke"))


def test_sqs_message_from_python(queue, consumer):
    with their_tracing.propagators(AwsXRayPropagator()), their_tracing.boto3sqs() as theirs, theirs.transaction():
        boto3.client("sqs").send_message(QueueUrl=queue.url, MessageBody="hello")
    (sender,) = theirs.spans(SpanKind.PRODUCER)

    (message,) = queue.receive()
    run = consumer.invoke(queue.event([message]))

    assert list(message["MessageAttributes"]) == ["X-Amzn-Trace-Id"]
    assert_continued(run, message["MessageId"], sender.context)


def test_lambda_invoke_from_python(wire, consumer):
    with their_tracing.propagators(AwsXRayPropagator()), their_tracing.botocore() as theirs, theirs.transaction():
        boto3.client("lambda").invoke(FunctionName="ours", Payload='{"order":7}')
    (sender,) = theirs.spans(SpanKind.CLIENT)

    run = consumer.invoke(**wire.request("Invoke").invocation())

    assert_continued(run, "event", sender.context)


# === ours to theirs; for Python see `test_ours_to_python.py` ===


@pytest.mark.parametrize("asynchronous", [False, True], ids=["waiting", "asynchronous"])
def test_node_function_that_is_invoked(asynchronous, wire, producer):
    request = {"call": "Invoke", "function": "theirs", "body": '{"order":7}', "asynchronous": asynchronous}
    run = producer.invoke(request)

    sent = wire.request("Invoke")
    theirs = javascript.run(
        "function.mjs", event=sent.json, traceHeader=sent.trace_header, propagator="xray-lambda", config={}
    )

    (sender,) = [span for span in run.spans if "throughline.injected" in span.attributes]
    server = theirs.span(kind=SERVER)
    assert (server["traceId"], server["parent"]) == (sender.trace_id, sender.span_id)
