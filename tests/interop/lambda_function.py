"""A function as Lambda runs it, with nothing beside it: a Runtime API of its own, no extension.

Without an extension the wrapper writes its spans on stdout, one line of OTLP JSON an invocation.
"""

import json
import queue
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATIENCE = 20  # seconds that a function may take for a step

# What Lambda's X-Ray header says is none of these tests' traces: a context that is found came in a message.
UNRELATED = "Root=1-11111111-222222222222222222222222;Parent=3333333333333333;Sampled=1"

PRODUCER, CONSUMER = 4, 5  # span kinds of OTLP


@dataclass(frozen=True)
class Span:
    """One of our spans."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent: str
    links: list[tuple[str, str]]
    attributes: dict

    @staticmethod
    def of(raw):
        """Reads a span of OTLP JSON."""
        return Span(
            name=raw["name"],
            kind=raw["kind"],
            trace_id=raw["traceId"],
            span_id=raw["spanId"],
            parent=raw.get("parentSpanId", ""),
            links=[(link["traceId"], link["spanId"]) for link in raw.get("links", [])],
            attributes={a["key"]: next(iter((a["value"] or {"": None}).values())) for a in raw.get("attributes", [])},
        )


@dataclass(frozen=True)
class Run:
    """What one invocation left behind: its answer, its spans, its log lines."""

    answer: object
    spans: list[Span]
    logs: list[dict]

    def invocation(self):
        """The span of the invocation."""
        (span,) = [span for span in self.spans if "faas.invocation_id" in span.attributes]
        return span

    def record(self, message_id):
        """The span of the record that is the message `message_id`."""
        spans = [span for span in self.spans if span != self.invocation()]  # which names the only message of a batch
        (span,) = [span for span in spans if span.kind == CONSUMER and sent_as(span) == message_id]
        return span

    def producer(self, message_id):
        """The span that the message `message_id` was sent in."""
        (span,) = [span for span in self.spans if span.kind == PRODUCER and sent_as(span) == message_id]
        return span

    def log(self, message_id):
        """The line that the handler logged for the message `message_id`."""
        (line,) = [line for line in self.logs if line.get("message_id") == message_id]
        return line


def sent_as(span):
    return span.attributes.get("messaging.message.id")


class Function:
    """A running function. Leave its `with` block to end it."""

    def __init__(self, binary: Path, env: dict, folder: Path):
        self._events, self._answers = queue.Queue(), queue.Queue()
        self._idle = threading.Event()
        self._api = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._api.serve_forever, args=(0.02,), daemon=True).start()
        self._output = folder / f"{binary.name}.out"
        self._read = 0
        with self._output.open("wb") as output:
            self._process = subprocess.Popen([binary], env=env | self._lambda_env(binary.name), stdout=output)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._events.put(None)
        self._api.shutdown()
        self._api.server_close()

    def invoke(self, event, client_context=None, trace_header=UNRELATED) -> Run:
        """Runs the function once. Its spans are there when it asks for its next event."""
        self._wait_until_idle()
        self._idle.clear()
        beside = {"lambda-runtime-trace-id": trace_header}
        if client_context is not None:
            beside["lambda-runtime-client-context"] = json.dumps(client_context)
        self._events.put((event, beside))
        path, answer = self._answers.get(timeout=PATIENCE)
        assert path.endswith("/response"), f"{path}: {answer}"
        self._wait_until_idle()
        return self._collect(answer)

    def _wait_until_idle(self):
        assert self._idle.wait(PATIENCE), f"the function asks for no event; exit status {self._process.poll()}"

    def _collect(self, answer):
        with self._output.open("rb") as output:
            output.seek(self._read)
            lines = [json.loads(line) for line in output]
            self._read = output.tell()
        spans = [
            Span.of(span)
            for line in lines
            for resource in line.get("resourceSpans", [])
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        return Run(answer, spans, [line for line in lines if "resourceSpans" not in line])

    def _lambda_env(self, name):
        return {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]interop",
        }

    def _handler(function):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                function._idle.set()
                next_event = function._events.get()
                if next_event is None:
                    self.close_connection = True
                    return
                event, beside = next_event
                self._reply(
                    200,
                    json.dumps(event).encode(),
                    {
                        "lambda-runtime-aws-request-id": str(uuid.uuid4()),
                        "lambda-runtime-deadline-ms": str(int((time.time() + PATIENCE) * 1000)),
                        "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-west-1:123456789012:function:interop",
                    }
                    | beside,
                )

            def do_POST(self):
                body = self._body()
                function._answers.put((self.path, json.loads(body) if body else None))
                self._reply(202, b"", {})

            def _body(self):
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers["content-length"]))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _reply(self, status, body, headers):
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
