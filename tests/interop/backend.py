"""An OTLP/HTTP backend that takes everything, read with OpenTelemetry's own definitions."""

import gzip
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Backend:
    """What has arrived."""

    port: int = 0
    _requests: list = field(default_factory=list)

    @property
    def endpoint(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, body):
        """Keeps an export request."""
        self._requests.append(ExportTraceServiceRequest.FromString(body))

    def spans(self, scope):
        """Those that one instrumentation scope has made, in the order of their arrival."""
        return [
            span
            for request in list(self._requests)
            for resource in request.resource_spans
            for of_scope in resource.scope_spans
            if of_scope.scope.name == scope
            for span in of_scope.spans
        ]

    def names(self, scope):
        """Their names."""
        return [span.name for span in self.spans(scope)]


@contextmanager
def backend():
    """A running one."""
    running = Backend()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                running.take(body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        server.shutdown()
