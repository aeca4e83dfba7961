"""Calls of AWS under Datadog's tracer, in a process of its own: it patches what it finds for good.

On stdin: the calls as JSON, `[service, method, arguments]` each. On stdout: the span of each call.
"""

import json
import os
import subprocess
import sys
from typing import NamedTuple


class Sender(NamedTuple):
    """The span of a call, with what the tracer says of it in W3C's names, if it uses them."""

    trace_id: str
    span_id: str
    tracestate: str | None

    @property
    def ids(self):
        """Both in hex, as OTLP has them."""
        return self.trace_id, self.span_id


def call(*calls, **env):
    """Runs `calls` in such a process, with `env` as variables of the tracer's; gives their spans."""
    quiet = {
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_TRACE_STARTUP_LOGS": "false",
        "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",  # nobody: the spans themselves are not looked at
    }
    command = [sys.executable, __file__]
    done = subprocess.run(
        command, env=os.environ | quiet | env, input=json.dumps(calls), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [Sender(*sender) for sender in json.loads(done.stdout)]


def main():
    """The process itself."""
    from ddtrace import patch
    from ddtrace.trace import tracer

    patch(botocore=True)
    import boto3

    calls = json.load(sys.stdin)
    senders = []
    tracer.configure(trace_processors=[Calls(senders)])
    for service, method, arguments in calls:
        with tracer.trace("checkout"):
            getattr(boto3.client(service), method)(**arguments)
    json.dump(senders, sys.stdout)


class Calls:
    """Notes the span of each call of AWS, and lets none leave the process."""

    def __init__(self, senders):
        self._senders = senders

    def process_trace(self, trace):
        """What the tracer calls with the spans of a trace."""
        self._senders += [self._sender(span) for span in trace if span.get_tag("aws.operation")]

    def _sender(self, span):
        from ddtrace.propagation.http import HTTPPropagator

        written = {}
        HTTPPropagator.inject(span.context, written)
        return Sender(f"{span.trace_id:032x}", f"{span.span_id:016x}", written.get("tracestate"))


if __name__ == "__main__":
    main()
