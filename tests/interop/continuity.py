"""What it means that our function continues their trace."""

from opentelemetry.trace import SpanContext

from their_tracing import ids

BAGGAGE = {"tenant": "acme", "correlation.id": "order-42"}


def assert_continued(run, message_id, sender):
    """The message comes from `sender`; the handler's lines are of that trace.

    A record is the sender's child itself or through the invocation; what is no message is the invocation's own.
    """
    expected = ids(sender) if isinstance(sender, SpanContext) else sender
    invocation = run.invocation()
    span = invocation if message_id == "event" else run.record(message_id)
    origin = invocation if span.parent == invocation.span_id else span
    assert (origin.trace_id, origin.parent) == expected
    assert span.trace_id == origin.trace_id
    line = run.log(message_id)
    assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)


def assert_baggage(run, message_id, expected=BAGGAGE):
    """What was set in theirs is there in Rust."""
    line = run.log(message_id)
    assert {"tenant": line["tenant"], "correlation.id": line["correlation_id"]} == expected
    span = run.invocation() if message_id == "event" else run.record(message_id)
    assert span.attributes["correlation.id"] == expected["correlation.id"]
