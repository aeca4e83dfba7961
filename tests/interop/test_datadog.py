"""A message that Datadog's tracer made is continued by our wrapper.

`./run test_datadog.py --record=FILE` writes the events as cases for the wrapper's own tests (`wrapper/tests/cases`).
"""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

import datadog
from continuity import assert_continued
from places import event_of, unwrapped

JSON = json.dumps({"order": 7})

# With the tracer's own defaults, W3C's names stand beside Datadog's among what it writes; or Datadog's alone.
styles = pytest.mark.parametrize("style", [None, "datadog"], ids=["default", "datadog"])


@pytest.fixture(scope="module")
def cases(request):
    """The events of all tests, each with what there is to find."""
    noted = []
    yield noted
    if path := request.config.getoption("record"):
        Path(path).write_text(json.dumps(noted, indent=2) + "\n")


@pytest.fixture
def invoke(consumer, cases, request):
    """Invokes our function with what `sender` sent, and notes it."""

    def invoke(sender, event, client_context=None, **beside):
        found = {"parent": f"00-{sender.trace_id}-{sender.span_id}-01"}
        if sender.tracestate:
            found["tracestate"] = sender.tracestate
        records = [found] * len(event.get("Records", []))
        case = {
            "description": f"ddtrace {version('ddtrace')}, {request.node.name.removeprefix('test_')}",
            "event": event,
        }
        custom = {"custom": client_context["custom"]} if client_context else {}
        cases.append(case | custom | {"expect": {"records": records} if records else found})
        return consumer.invoke(event, client_context, **beside)

    return invoke


def call(style, service, method, **arguments):
    """The span of one call."""
    env = {"DD_TRACE_PROPAGATION_STYLE": style} if style else {}
    (sender,) = datadog.call([service, method, arguments], **env)
    return sender


@styles
def test_sqs_message(style, queue, invoke):
    sender = call(style, "sqs", "send_message", QueueUrl=queue.url, MessageBody="hello")

    (message,) = queue.receive()
    run = invoke(sender, queue.event([message]))

    assert list(message["MessageAttributes"]) == ["_datadog"]
    assert_continued(run, message["MessageId"], sender.ids)


@styles
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "envelope"])
def test_sns_message_in_a_queue(raw, style, queue, topic, invoke):
    sender = call(style, "sns", "publish", TopicArn=topic(raw=False), Message="hello")

    (message,) = queue.receive()
    message = unwrapped(message) if raw else message
    run = invoke(sender, queue.event([message]))

    assert_continued(run, message["MessageId"], sender.ids)


@styles
def test_kinesis(style, stream, invoke):
    records = [{"Data": JSON, "PartitionKey": str(n)} for n in range(2)]
    sender = call(style, "kinesis", "put_records", StreamName=stream.name, Records=records)

    event = stream.event()
    run = invoke(sender, event)

    assert len(event["Records"]) == 2
    for record in event["Records"]:
        assert_continued(run, record["kinesis"]["sequenceNumber"], sender.ids)


@styles
@pytest.mark.parametrize("through_a_queue", [False, True], ids=["rule", "queue"])
def test_eventbridge(through_a_queue, style, bus, queue, invoke):
    entry = {"EventBusName": bus, "Source": "shop", "DetailType": "ordered", "Detail": JSON}
    sender = call(style, "events", "put_events", Entries=[entry])

    (message,) = queue.receive()
    run = invoke(sender, queue.event([message]) if through_a_queue else event_of(message))

    assert_continued(run, message["MessageId"] if through_a_queue else "event", sender.ids)


@styles
def test_lambda_invoke(style, wire, invoke):
    sender = call(style, "lambda", "invoke", FunctionName="ours", Payload=JSON)

    run = invoke(sender, **wire.request("Invoke").invocation())

    assert_continued(run, "event", sender.ids)


@styles
def test_step_functions(style, machine, wire, invoke):
    sender = call(style, "stepfunctions", "start_execution", stateMachineArn=machine, input=JSON)

    # A task hands its state's input on, unless it says otherwise.
    run = invoke(sender, json.loads(wire.request("StartExecution").json["input"]))

    assert_continued(run, "event", sender.ids)
