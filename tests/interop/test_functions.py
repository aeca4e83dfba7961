"""Functions in other languages, with nothing of ours in them: OpenTelemetry's SDKs, their OTLP exporters, and our extension,
to which the standard variables point. Both processes are frozen between invocations.

What a batch processor still holds when the handler ends is lost, or late: it sends every five seconds by default, and a
frozen process sends nothing. That is the SDKs' part, and why a function has to flush; these tests say what then arrives.
"""

import os
import socket
import sys
from pathlib import Path

import pytest

from backend import backend
from sandbox import Sandbox

FUNCTIONS = Path(__file__).parent / "functions"


@pytest.fixture(params=["python", "node"])
def language(request):
    return request.param


@pytest.fixture(params=["http/protobuf", "http/json"])
def protocol(request):
    return request.param


@pytest.fixture
def theirs():
    """Where their spans arrive."""
    with backend() as running:
        yield running


def start(language, theirs, protocol="http/protobuf", timeout_ms=20_000, **env):
    """A function whose exporter is told of the extension as any other collector."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return Sandbox(
        FUNCTIONS / language,
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://localhost:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "THROUGHLINE_LISTEN": f"127.0.0.1:{port}",
            "THROUGHLINE_EXPORT_ENDPOINT": theirs.endpoint,
            "THROUGHLINE_PHASES": "off",  # the spans are counted
            "THROUGHLINE_BUDGET_MS": "2000",  # a busy machine is not a dead backend
            "INTEROP_PYTHON": sys.executable,
            "NODE_PATH": os.environ["INTEROP_NODE"],
        }
        | env,
        timeout_ms,
    )


def both(name):
    """The spans of an invocation, in the order of their ends."""
    return [f"{name}, charge", name]


def test_all_arrives_where_the_handler_flushes(language, protocol, theirs):
    with start(language, theirs, protocol) as function:
        due = []
        for name in ("first", "second", "third"):
            assert function.invoke({"name": name, "flush": "at the end"}) == {"response": {"paid": True}}
            due += both(name)
            assert theirs.names("shop") == due  # before the next invocation
    spans = theirs.spans("shop")
    assert len({span.span_id for span in spans}) == len(spans)
    for charge, invocation in zip(spans[::2], spans[1::2], strict=True):
        assert (charge.trace_id, charge.parent_span_id) == (invocation.trace_id, invocation.span_id)
    counted = function.summary()["spans"]
    assert (counted["received"], counted["exported"]) == (6, 6)


def test_metrics_and_logs_arrive_too(language, protocol, theirs):
    with start(language, theirs, protocol) as function:
        for name in ("first", "second"):
            function.invoke({"name": name, "flush": "at the end"})
    orders = [metric for metric in theirs.metrics("shop") if metric.name == "orders"]
    assert [point.as_int or point.as_double for metric in orders for point in metric.sum.data_points] == [1, 2]
    assert [record.body.string_value for record in theirs.logs("shop")] == ["charged: first", "charged: second"]
    first = theirs.spans("shop")[1]
    assert theirs.logs("shop")[0].trace_id == first.trace_id
    counted = function.summary()
    for signal in ("metrics", "log_records"):
        assert counted[signal]["received"] == counted[signal]["exported"] >= 2, signal


def test_an_error_is_an_end_too(language, protocol, theirs):
    with start(language, theirs, protocol) as function:
        assert "error" in function.invoke({"name": "refused", "ends": "error", "flush": "at the end"})
        assert theirs.names("shop") == both("refused")
    assert theirs.spans("shop")[1].status.code == 2


def test_a_batch_strands_in_a_freeze(language, theirs):
    """Nothing is sent in time, and SIGTERM ends these processes before they send the rest."""
    with start(language, theirs) as function:
        for name in ("first", "second"):
            function.invoke({"name": name})
    assert theirs.names("shop") == []
    assert function.summary()["spans"]["received"] == 0


def test_a_shorter_delay_sends_in_time_what_ended_early(language, theirs):
    """While the handler goes on. What ends with the handler may come with the next invocation."""
    with start(language, theirs, OTEL_BSP_SCHEDULE_DELAY="50") as function:
        function.invoke({"name": "first", "ends": "slow"})
        assert theirs.names("shop")[:1] == ["first, charge"]
        function.invoke({"name": "second", "ends": "slow"})
        assert theirs.names("shop")[:3] == [*both("first"), "second, charge"]


@pytest.mark.parametrize("ends", ["time-out", "exit"])
def test_a_bad_end_loses_what_was_not_flushed(ends, language, protocol, theirs):
    """Flushed spans arrive, and the function's next process starts as if nothing had been."""
    with start(language, theirs, protocol, timeout_ms=2_000) as function:
        assert "error" in function.invoke({"name": "kept", "ends": ends, "flush": "before the end"})
        assert theirs.names("shop") == ["kept, charge"]
        assert "error" in function.invoke({"name": "lost", "ends": ends})
        assert theirs.names("shop") == ["kept, charge"]
        function.invoke({"name": "after", "flush": "at the end"})
        assert theirs.names("shop") == ["kept, charge", *both("after")]


@pytest.mark.parametrize(("ends", "error"), [("time-out", "Sandbox.Timedout"), ("exit", "Runtime.ExitError")])
def test_a_bad_end_is_told_in_the_trace_of_what_was_flushed(ends, error, language, theirs):
    """By the extension, which learns of it from the platform."""
    with start(language, theirs, timeout_ms=2_000, THROUGHLINE_PHASES="off") as function:
        assert "error" in function.invoke({"name": "kept", "ends": ends, "flush": "before the end"})
    [charge] = theirs.spans("shop")
    [told] = theirs.spans("throughline-extension")
    attributes = {attribute.key: attribute.value.string_value for attribute in told.attributes}
    assert (told.trace_id, told.status.code, attributes["error.type"]) == (charge.trace_id, 2, error)
    assert len(attributes["faas.invocation_id"]) == 36


def test_an_orderly_exit_loses_nothing_in_python(theirs):
    """Their SDK flushes when the interpreter ends; spans end as the exception passes."""
    with start("python", theirs) as function:
        assert "error" in function.invoke({"name": "left", "ends": "orderly exit"})
    assert theirs.names("shop") == both("left")
