"""OpenTelemetry's instrumentations for Node, both ways: of the AWS SDK (version 3), and of Lambda functions."""

import pytest

import javascript
from continuity import BAGGAGE, assert_baggage, assert_continued
from javascript import CONSUMER, PRODUCER, SERVER
from places import notification, notified_id

# === theirs to ours ===


def test_sqs_message(queue, consumer):
    message = {"QueueUrl": queue.url, "MessageBody": "hello"}
    theirs = javascript.call("SQS", "SendMessage", message, BAGGAGE)

    (message,) = queue.receive()
    run = consumer.invoke(queue.event([message]))

    assert_continued(run, message["MessageId"], theirs.sender(kind=PRODUCER))
    assert_baggage(run, message["MessageId"])


def test_sqs_batch(queue, consumer):
    entries = [{"Id": str(n), "MessageBody": "hello"} for n in range(3)]
    theirs = javascript.call("SQS", "SendMessageBatch", {"QueueUrl": queue.url, "Entries": entries}, BAGGAGE)

    messages = queue.receive()
    run = consumer.invoke(queue.event(messages))

    assert len(messages) == 3
    for message in messages:
        assert_continued(run, message["MessageId"], theirs.sender(kind=PRODUCER))
        assert_baggage(run, message["MessageId"])


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "envelope"])
def test_sns_message_in_a_queue(raw, queue, topic, consumer):
    theirs = javascript.call("SNS", "Publish", {"TopicArn": topic(raw), "Message": "hello"}, BAGGAGE)

    (message,) = queue.receive()
    run = consumer.invoke(queue.event([message]))

    assert_continued(run, message["MessageId"], theirs.sender(kind=PRODUCER))
    assert_baggage(run, message["MessageId"])


def test_sns_message(queue, topic, consumer):
    theirs = javascript.call("SNS", "Publish", {"TopicArn": topic(raw=False), "Message": "hello"}, BAGGAGE)

    (message,) = queue.receive()
    run = consumer.invoke(notification(message))

    assert_continued(run, notified_id(message), theirs.sender(kind=PRODUCER))
    assert_baggage(run, notified_id(message))


def test_lambda_invoke(wire, consumer):
    """Their client context has a `custom` and nothing else."""
    request = {"FunctionName": "ours", "Payload": '{"order":7}'}
    theirs = javascript.call("Lambda", "Invoke", request, BAGGAGE)

    run = consumer.invoke(**wire.request("Invoke").invocation())

    assert run.answer == {"seen": {"order": 7}}
    assert_continued(run, "event", theirs.sender(name="ours Invoke"))
    assert_baggage(run, "event")


# === ours to theirs ===


def received(queue, **config):
    """Their span that received all messages of the queue, and the messages."""
    theirs = javascript.receive(queue, **config)
    return theirs.span(kind=CONSUMER), theirs.answer["Messages"]


def sent(run):
    """Our spans that carried their context into a message, as theirs name them in a link."""
    return sorted([span.trace_id, span.span_id] for span in run.spans if "throughline.injected" in span.attributes)


@pytest.mark.parametrize(
    "request_",
    [{"call": "SendMessage", "body": "hello"}, {"call": "SendMessageBatch", "bodies": ["one", "two", "three"]}],
    ids=lambda request: request["call"],
)
def test_sqs_consumer(request_, queue, producer):
    run = producer.invoke(request_ | {"queue_url": queue.url})

    span, messages = received(queue)

    assert len(messages) == len(sent(run)) == len(request_.get("bodies", "1"))
    assert sorted(span["links"]) == sent(run)


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "envelope"])
def test_sns_subscriber(raw, queue, topic, producer):
    run = producer.invoke({"call": "PublishBatch", "topic_arn": topic(raw), "bodies": ["one", "two"]})

    span, messages = received(queue, sqsExtractContextPropagationFromPayload=not raw)

    assert len(messages) == len(sent(run)) == 2
    assert sorted(span["links"]) == sent(run)


@pytest.mark.parametrize("carrier", ["attributes", "header"])
def test_function_behind_a_queue(carrier, queue, producer):
    """By the message's attributes where they are told to, else by AWS's own trace header alone."""
    run = producer.invoke({"call": "SendMessage", "queue_url": queue.url, "body": "hello"})

    event = queue.event(queue.receive())
    config = {"useGlobalPropagatorForSqsExtraction": carrier == "attributes"}
    theirs = javascript.run("function.mjs", event=event, config=config)

    assert theirs.span(kind=CONSUMER)["links"] == sent(run)
    assert theirs.span(kind=SERVER)["name"] == "theirs"


def test_function_that_is_invoked(wire, producer):
    run = producer.invoke({"call": "Invoke", "function": "theirs", "body": '{"order":7}', "asynchronous": False})

    request = wire.request("Invoke")
    theirs = javascript.run("function.mjs", event=request.json, clientContext=request.client_context)

    ((trace_id, span_id),) = sent(run)
    assert request.json == {"order": 7}
    server = theirs.span(kind=SERVER)
    assert (server["traceId"], server["parent"]) == (trace_id, span_id)
    assert theirs.answer["spanId"] == server["spanId"]
    assert theirs.answer["baggage"]["tenant"] == "acme"
