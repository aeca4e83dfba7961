"""AWS X-Ray: its SDK as the caller, and what its header has to keep on every hop."""

import pytest

import xray
from continuity import assert_continued

# All that AWS and load balancers are known to put there, and what they may think of tomorrow.
TRACE, PARENT = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
OTHERS = "Lineage=1:a87bd80c:1|68fd508a:5|c512fbe3:2;CalledFrom=app;Tomorrow=x"


def incoming(sampled):
    """The header of an invocation."""
    return f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled={sampled};{OTHERS}"


def members(header):
    """A header, taken apart."""
    return dict(member.split("=", 1) for member in header.split(";"))


def ids(header):
    """Trace and parent of a header, as OTLP has them."""
    found = members(header)
    return found["Root"].removeprefix("1-").replace("-", ""), found["Parent"]


def others(header):
    """All members that are not ours to change."""
    return {name: value for name, value in members(header).items() if name not in ("Root", "Parent")}


# === theirs to ours ===


def test_sqs_message(queue, wire, consumer):
    xray.call(incoming(sampled=1), ["sqs", "send_message", {"QueueUrl": queue.url, "MessageBody": "hello"}])

    header = wire.request("SendMessage").trace_header
    run, message = delivered(queue, header, consumer)

    assert ids(header)[0] == TRACE
    assert_continued(run, message["MessageId"], ids(header))


def test_lambda_invoke(wire, consumer):
    """The trace is X-Ray's, and begins with our span: X-Ray's segments are in no OTLP backend."""
    xray.call(incoming(sampled=1), ["lambda", "invoke", {"FunctionName": "ours", "Payload": '{"order":7}'}])

    run = consumer.invoke(**wire.request("Invoke").invocation())

    assert run.answer == {"seen": {"order": 7}}
    assert_continued(run, "event", (TRACE, ""))


def test_a_segment_that_was_not_sampled_names_no_trace(queue, wire, consumer):
    """Their SDK sends ids of zeros then: the transaction is traced all the same, under an id of its own."""
    request = {"QueueUrl": queue.url, "MessageBody": "hello"}
    invoke = {"FunctionName": "ours", "Payload": "{}"}
    xray.call(incoming(sampled=0), ["sqs", "send_message", request], ["lambda", "invoke", invoke])

    headers = [wire.request("SendMessage").trace_header, wire.request("Invoke").trace_header]
    runs = [delivered(queue, headers[0], consumer)[0], consumer.invoke(**wire.request("Invoke").invocation())]

    for header, run in zip(headers, runs, strict=True):
        assert ids(header) == ("0" * 32, "0" * 16)
        assert (run.invocation().parent, run.invocation().links) == ("", [])
        assert run.invocation().trace_id.strip("0")


def delivered(queue, header, consumer):
    """The invocation with the message, to which SQS adds the header of the request; moto does not."""
    (message,) = queue.receive()
    message["Attributes"]["AWSTraceHeader"] = header
    return consumer.invoke(queue.event([message])), message


# === ours to anybody ===


def in_system_attributes(message):
    """Where SQS takes it from."""
    return message["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"]


# The calls that our function makes, and where the header stands in the body of the request; in HTTP's it always does.
CALLS = {
    "SendMessage": lambda body: [in_system_attributes(body)],
    "SendMessageBatch": lambda body: [in_system_attributes(entry) for entry in body["Entries"]],
    "Publish": None,
    "PublishBatch": None,
    "PutEvents": lambda body: [entry["TraceHeader"] for entry in body["Entries"]],
    "PutRecord": None,
    "PutRecords": None,
    "Invoke": None,
    "Invoke, asynchronous": None,
    "StartExecution": lambda body: [body["traceHeader"]],
}


@pytest.fixture
def request_to(queue, topic, bus, stream, machine):
    """What our function is asked for to make such a call."""
    places = {
        "queue_url": queue.url,
        "topic_arn": topic(raw=True),
        "bus": bus,
        "stream": stream.name,
        "function": "next",
        "machine_arn": machine,
    }
    content = {"body": "{}", "bodies": ["{}", "{}"]}

    def make(call):
        operation, _, how = call.partition(", ")
        return {"call": operation, "asynchronous": how == "asynchronous"} | places | content

    return make


@pytest.mark.parametrize("sampled", [1, 0])
@pytest.mark.parametrize("call", CALLS)
def test_lineage_survives(call, sampled, request_to, wire, producer):
    """AWS stops loops by counting in `Lineage`: whoever drops it switches that off."""
    header = incoming(sampled)
    for _ in range(3):
        run = producer.invoke(request_to(call), trace_header=header)
        sent = wire.requests(call.partition(",")[0])[-1]
        headers = [sent.trace_header] + (CALLS[call](sent.json) if CALLS[call] else [])
        spans = {(span.trace_id, span.span_id) for span in run.spans}
        for each in headers:
            assert others(each) == others(incoming(sampled))
            assert ids(each)[0] == TRACE
            assert ids(each) in spans
        header = headers[-1]  # the next function is called with it
