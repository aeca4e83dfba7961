"""An OTLP/HTTP backend that takes everything, read with OpenTelemetry's own definitions."""

import gzip
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@dataclass
class Backend:
    """What has arrived."""

    port: int = 0
    _requests: list = field(default_factory=list)

    @property
    def endpoint(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, path, body):
        """Keeps an export request."""
        self._requests.append(REQUESTS[path].FromString(body))

    def spans(self, scope):
        """Those that one instrumentation scope has made, in the order of their arrival."""
        return self._items(scope, ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans")

    def metrics(self, scope):
        """The scope's metrics."""
        return self._items(scope, ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics")

    def logs(self, scope):
        """The scope's log records."""
        return self._items(scope, ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records")

    def _items(self, scope, kind, resources, scopes, items):
        return [
            item
            for request in list(self._requests)
            if isinstance(request, kind)
            for resource in getattr(request, resources)
            for of_scope in getattr(resource, scopes)
            if of_scope.scope.name == scope
            for item in getattr(of_scope, items)
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
            running.take(self.path, body)
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
