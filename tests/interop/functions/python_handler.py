"""A function in Python with OpenTelemetry's SDK, whose exporter takes everything from the standard variables."""

import importlib
import os
import sys
import time

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORTERS = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "http/json": "opentelemetry.exporter.otlp.json.http.trace_exporter",
}
exporter = importlib.import_module(EXPORTERS[os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"]]).OTLPSpanExporter()
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")


def handle(event, context):
    """Makes the spans that the event names, and ends as it says."""
    try:
        with tracer.start_as_current_span(event["name"]) as span:
            span.set_attribute("request_id", context.aws_request_id)
            with tracer.start_as_current_span(event["name"] + ", charge"):
                pass
            if event.get("flush") == "before the end":
                provider.force_flush()
            end(event.get("ends", "ok"))
        return {"paid": True}
    finally:
        if event.get("flush") == "at the end":
            provider.force_flush()


def end(how):
    """Ends the process or the invocation, unless that is to go on."""
    if how == "error":
        raise ValueError("the card is refused")
    if how == "slow":
        time.sleep(0.5)
    if how == "time-out":
        time.sleep(60)
    if how == "orderly exit":
        sys.exit(3)
    if how == "exit":
        os._exit(3)
