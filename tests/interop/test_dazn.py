"""DAZN's Lambda powertools name the transaction and no span: their ids are our baggage, in a trace that begins here.

Their middleware takes `x-correlation-*` alone, of which we write none: what it gets from us it leaves as it is.
"""

import json

import pytest

import javascript
from places import delivered, event_of, notification, notified_id

IDS = {
    "x-correlation-id": "order-42",
    "x-correlation-tenant": "acme",
    "debug-log-enabled": "true",
    "call-chain-length": 1,
}
JSON = json.dumps({"order": 7})


def call(service, operation, **request):
    """Calls AWS with a client of theirs."""
    return javascript.run("dazn.mjs", service=service, operation=operation, input=request, ids=IDS)


def assert_named(run, message_id):
    """The handler's line has their ids; the trace is one of our own."""
    line = run.log(message_id)
    assert (line["correlation_id"], line["tenant"]) == ("order-42", "acme")
    invocation = run.invocation()
    assert (invocation.parent, invocation.links) == ("", [])
    span = invocation if message_id == "event" else run.record(message_id)
    assert span.attributes["correlation.id"] == "order-42"


@pytest.mark.parametrize("operation", ["sendMessage", "sendMessageBatch"])
def test_sqs(operation, queue, consumer):
    batch = {"Entries": [{"Id": str(n), "MessageBody": JSON} for n in range(2)]}
    request = {"MessageBody": JSON} if operation == "sendMessage" else batch
    call("sqs", operation, QueueUrl=queue.url, **request)

    messages = queue.receive()
    run = consumer.invoke(queue.event(messages))

    assert len(messages) == len(request.get("Entries", "1"))
    for message in messages:
        assert_named(run, message["MessageId"])


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "envelope"])
def test_sns_message_in_a_queue(raw, queue, topic, consumer):
    call("sns", "publish", TopicArn=topic(raw), Message=JSON)

    (message,) = queue.receive()
    run = consumer.invoke(queue.event([message]))

    assert_named(run, message["MessageId"])


def test_sns(queue, topic, consumer):
    call("sns", "publish", TopicArn=topic(raw=False), Message=JSON)

    (message,) = queue.receive()
    run = consumer.invoke(notification(message))

    assert_named(run, notified_id(message))


@pytest.mark.parametrize("operation", ["putRecord", "putRecordBatch"])
def test_firehose(operation, delivery, wire, consumer):
    """Whose transformation is a function of ours."""
    record = {"Data": JSON}
    request = {"Record": record} if operation == "putRecord" else {"Records": [record, record]}
    call("firehose", operation, DeliveryStreamName=delivery, **request)

    sent = wire.request(operation[0].upper() + operation[1:]).json
    records = sent["Records"] if "Records" in sent else [sent["Record"]]
    run = consumer.invoke(delivered(delivery, records))

    assert len(records) == len(request.get("Records", "1"))
    assert_named(run, "event")


def test_http(wire, consumer, trusting_consumer):
    """The public names no transaction of ours, unless we are told that it is not the public."""
    url = f"http://127.0.0.1:{wire.port}/api/orders"
    javascript.run("dazn.mjs", service="http", input={"uri": url}, ids=IDS)
    event = wire.request("API").url_event()
    assert event["headers"]["x-correlation-tenant"] == "acme"

    assert_named(trusting_consumer.invoke(event), "event")
    line = consumer.invoke(event).log("event")
    assert line["correlation_id"] != "order-42"
    assert line["tenant"] == ""


@pytest.mark.parametrize("operation", ["putRecord", "putRecords"])
def test_kinesis(operation, stream, consumer):
    record = {"Data": JSON, "PartitionKey": "7"}
    call(
        "kinesis", operation, StreamName=stream.name, **(record if operation == "putRecord" else {"Records": [record]})
    )

    event = stream.event()
    run = consumer.invoke(event)

    (record,) = event["Records"]
    assert_named(run, record["kinesis"]["sequenceNumber"])


@pytest.mark.parametrize("through_a_queue", [False, True], ids=["rule", "queue"])
def test_eventbridge(through_a_queue, bus, queue, consumer):
    entry = {"EventBusName": bus, "Source": "shop", "DetailType": "ordered", "Detail": JSON}
    call("eventbridge", "putEvents", Entries=[entry])

    (message,) = queue.receive()
    event = queue.event([message]) if through_a_queue else event_of(message)
    run = consumer.invoke(event)

    assert_named(run, message["MessageId"] if through_a_queue else "event")


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_lambda(kind, wire, consumer):
    call("lambda", "invoke", FunctionName="ours", InvocationType=kind, Payload=JSON)

    run = consumer.invoke(**wire.request("Invoke").invocation())

    assert_named(run, "event")


def test_step_functions(machine, wire, consumer):
    call("step-functions", "startExecution", stateMachineArn=machine, input=JSON)

    # A task hands its state's input on, unless it says otherwise.
    run = consumer.invoke(json.loads(wire.request("StartExecution").json["input"]))

    assert_named(run, "event")


def test_ours_behind_their_middleware(queue, producer):
    producer.invoke({"call": "SendMessageBatch", "queue_url": queue.url, "bodies": ["one", "two"]})

    event = queue.event(queue.receive())
    theirs = javascript.run("dazn-function.mjs", event=event, awsRequestId="r-1")

    assert all("traceparent" in record["messageAttributes"] for record in event["Records"])
    own = {"awsRequestId": "r-1", "x-correlation-id": "r-1", "debug-log-enabled": "false", "call-chain-length": 1}
    assert theirs.answer == {"event": event, "ids": [own, own]}
