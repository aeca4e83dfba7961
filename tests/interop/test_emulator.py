"""A wrapped function with our extension in AWS's runtime interface emulator, as `sam local` and the container images run it.

It handles one invocation at a time, never freezes, and takes a subscription to the Telemetry API with 202 and
`Telemetry.NotSupported`: nobody tells the extension how an invocation went but the function.
"""

import json
import time

import pytest

from backend import backend
from emulator import PATIENCE, Emulator


@pytest.fixture
def ours():
    """Where our spans arrive."""
    with backend() as running:
        yield running


def start(function, folder, ours, **env):
    return Emulator(
        function,
        folder,
        {
            "AWS_LAMBDA_FUNCTION_NAME": "shop",
            "THROUGHLINE_EXPORT_ENDPOINT": ours.endpoint,
            "THROUGHLINE_LISTEN": "127.0.0.1:0",
            "THROUGHLINE_BUDGET_MS": "2000",  # a busy machine is not a dead backend
        }
        | env,
    )


def eventually(expected, found):
    """Nothing says when the extension is done: the emulator answers before."""
    deadline = time.monotonic() + PATIENCE
    while found() != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found() == expected


def summary(emulator):
    """The extension's last line."""
    (line,) = [line for line in emulator.said if '"message":"summary"' in line]
    return json.loads(line)["spans"]


def test_each_invocation_arrives(tmp_path, ours):
    with start("interop-consumer", tmp_path, ours) as emulator:
        for count in (1, 2, 3):
            assert json.loads(emulator.invoke({"order": count})) == {"seen": {"order": count}}
            eventually(["shop"] * count, lambda: ours.names("throughline"))
    counted = summary(emulator)
    assert (counted["received"], counted["exported"]) == (3, 3)


def test_it_does_not_tell_of_the_platform(tmp_path, ours):
    """What makes the other tests worth having: should the emulator learn it one day, this fails."""
    with start("interop-consumer", tmp_path, ours) as emulator:
        emulator.invoke({})
        status, answer = emulator.subscribe()
        assert (status, answer["errorType"]) == (202, "Telemetry.NotSupported")


def test_an_invocation_that_runs_out_of_time_arrives(tmp_path, ours):
    """With the spans that had ended, told from the flight recorder; then the function starts anew."""
    command = {"TEST_HANDLER": "command", "AWS_LAMBDA_FUNCTION_TIMEOUT": "2"}
    with start("function", tmp_path, ours, **command) as emulator:
        assert "timed out" in emulator.invoke({"do": "hang", "spans": 2})
        eventually(["shop", "step", "step"], lambda: sorted(ours.names("throughline")))
        (hung,) = [span for span in ours.spans("throughline") if span.name == "shop"]
        attributes = {attribute.key: attribute.value for attribute in hung.attributes}
        # Its SHUTDOWN has the reason `spindown` here too: that time ran out the extension knows from the deadline.
        assert attributes["error.type"].string_value == "Sandbox.Timedout"
        assert json.loads(emulator.invoke({"do": "ok", "spans": 0})) == {"made": 0}
        eventually(["shop", "shop", "step", "step"], lambda: sorted(ours.names("throughline")))
