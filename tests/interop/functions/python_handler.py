"""A function in Python with OpenTelemetry's SDK, whose exporters take everything from the standard variables."""

import importlib
import logging
import os
import sys
import time

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PACKAGES = {"http/protobuf": "opentelemetry.exporter.otlp.proto.http", "http/json": "opentelemetry.exporter.otlp.json.http"}
PACKAGE = PACKAGES[os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"]]


def exporter(module, name):
    """The standard one."""
    return getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)()


traces = TracerProvider()
traces.add_span_processor(BatchSpanProcessor(exporter("trace_exporter", "OTLPSpanExporter")))
trace.set_tracer_provider(traces)
tracer = trace.get_tracer("shop")

metrics = MeterProvider([PeriodicExportingMetricReader(exporter("metric_exporter", "OTLPMetricExporter"))])
orders = metrics.get_meter("shop").create_counter("orders")

logs = LoggerProvider()
logs.add_log_record_processor(BatchLogRecordProcessor(exporter("_log_exporter", "OTLPLogExporter")))
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(LoggingHandler(logger_provider=logs))


def handle(event, context):
    """Makes the spans that the event names, and ends as it says."""
    try:
        with tracer.start_as_current_span(event["name"]) as span:
            span.set_attribute("request_id", context.aws_request_id)
            with tracer.start_as_current_span(event["name"] + ", charge"):
                pass
            orders.add(1)
            log.info("charged: %s", event["name"])
            if event.get("flush") == "before the end":
                flush()
            end(event.get("ends", "ok"))
        return {"paid": True}
    finally:
        if event.get("flush") == "at the end":
            flush()


def flush():
    """Sends everything of every kind."""
    for provider in (traces, metrics, logs):
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
