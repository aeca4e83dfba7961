"""A message that OpenTelemetry's own instrumentation made is continued by our wrapper."""

import json

import boto3
import pytest
from opentelemetry.trace import SpanKind

import their_tracing
from continuity import BAGGAGE, assert_baggage, assert_continued
from places import notification, notified_id
from their_tracing import ids


def test_sqs_message(queue, consumer):
    with their_tracing.boto3sqs() as theirs, theirs.transaction(**BAGGAGE):
        boto3.client("sqs").send_message(QueueUrl=queue.url, MessageBody="hello")
    (sender,) = theirs.spans(SpanKind.PRODUCER)

    (message,) = queue.receive()
    run = consumer.invoke(queue.event([message]))

    assert run.answer == {"batchItemFailures": []}
    assert_continued(run, message["MessageId"], sender.context)
    assert_baggage(run, message["MessageId"])
    # All of the batch has one sender, so the whole invocation is its child.
    assert (run.invocation().trace_id, run.invocation().parent) == ids(sender.context)


def test_sqs_batch_of_two_transactions(queue, consumer):
    entry = {"Id": "0", "MessageBody": "hello"}
    with their_tracing.boto3sqs() as theirs:
        for _ in range(2):
            with theirs.transaction(**BAGGAGE):
                boto3.client("sqs").send_message_batch(QueueUrl=queue.url, Entries=[dict(entry)])
    senders = {span.attributes["messaging.message.id"]: span.context for span in theirs.spans(SpanKind.PRODUCER)}

    messages = queue.receive()
    run = consumer.invoke(queue.event(messages))

    assert {message["MessageId"] for message in messages} == set(senders)
    for message in messages:
        assert_continued(run, message["MessageId"], senders[message["MessageId"]])
        assert_baggage(run, message["MessageId"])
    # The invocation belongs to neither, and is linked to both.
    assert run.invocation().parent == ""
    assert sorted(run.invocation().links) == sorted(ids(sender) for sender in senders.values())


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "envelope"])
def test_sns_message_in_a_queue(raw, queue, topic, consumer):
    arn = topic(raw)
    with their_tracing.botocore() as theirs, theirs.transaction(**BAGGAGE):
        boto3.client("sns").publish(TopicArn=arn, Message="hello")
    (sender,) = theirs.spans(SpanKind.PRODUCER)

    (message,) = queue.receive()
    run = consumer.invoke(queue.event([message]))

    assert_continued(run, message["MessageId"], sender.context)
    assert_baggage(run, message["MessageId"])


def test_sns_message(queue, topic, consumer):
    arn = topic(raw=False)
    with their_tracing.botocore() as theirs, theirs.transaction(**BAGGAGE):
        boto3.client("sns").publish(TopicArn=arn, Message="hello")
    (sender,) = theirs.spans(SpanKind.PRODUCER)

    (message,) = queue.receive()
    run = consumer.invoke(notification(message))

    assert_continued(run, notified_id(message), sender.context)
    assert_baggage(run, notified_id(message))


def test_x_ray_header(queue, wire, consumer):
    """Their `botocore` instrumentation gives SQS an X-Ray header alone, which SQS hands on; moto does not."""
    with their_tracing.botocore() as theirs, theirs.transaction():
        boto3.client("sqs").send_message(QueueUrl=queue.url, MessageBody="hello")
    (sender,) = theirs.spans(SpanKind.CLIENT)

    (message,) = queue.receive()
    assert "MessageAttributes" not in message
    message["Attributes"]["AWSTraceHeader"] = wire.request("SendMessage").trace_header
    run = consumer.invoke(queue.event([message]))

    assert_continued(run, message["MessageId"], sender.context)


def test_lambda_invoke(wire, consumer):
    """Their instrumentation of all clients adds `headers` to the payload, which the callee sees.

    Nothing tells these from the headers of an HTTP request, from which baggage is not taken.
    """
    with their_tracing.botocore() as theirs, theirs.transaction(**BAGGAGE):
        boto3.client("lambda").invoke(FunctionName="ours", Payload=json.dumps({"order": 7}))
    (sender,) = theirs.spans(SpanKind.CLIENT)

    invocation = wire.request("Invoke").invocation()
    run = consumer.invoke(**invocation)

    assert run.answer == {"seen": invocation["event"]}
    assert_continued(run, "event", sender.context)
    assert "baggage" in run.answer["seen"]["headers"]
    assert run.log("event")["tenant"] == ""
