"""Programs in JavaScript, in `javascript/`: a request as JSON on stdin, answer and spans as JSON on stdout."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SERVER, PRODUCER, CONSUMER = 1, 3, 4  # span kinds of OpenTelemetry's API for JavaScript


@dataclass(frozen=True)
class Done:
    """What a program did."""

    answer: object
    spans: list[dict]

    def span(self, **members):
        """The only span with these members."""
        (span,) = [span for span in self.spans if all(span[name] == value for name, value in members.items())]
        return span

    def sender(self, **members):
        """Trace and span id of the only span with these members."""
        span = self.span(**members)
        return span["traceId"], span["spanId"]


def run(program, **request):
    """Runs a program."""
    env = os.environ | {
        "NODE_PATH": os.environ["INTEROP_NODE"],
        "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
        "DISABLE_METRICS": "true",  # which DAZN's HTTP client would write on stdout
    }
    command = ["node", "--no-warnings", str(Path(__file__).parent / "javascript" / program)]
    done = subprocess.run(command, env=env, input=json.dumps(request), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return Done(**json.loads(done.stdout))


def call(service, command, request, baggage=None, propagator=None):
    """Calls AWS with an instrumented client, in a trace of its own."""
    asked = {"service": service, "command": command, "input": request}
    return run("call.mjs", **asked, baggage=baggage or {}, propagator=propagator, config={})


def receive(queue, **config):
    """Receives the messages of a queue with a client that is instrumented as `config` says."""
    asked = {"QueueUrl": queue.url, "MaxNumberOfMessages": 10}
    return run("call.mjs", service="SQS", command="ReceiveMessage", input=asked, baggage={}, config=config)
