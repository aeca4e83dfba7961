"""OpenTelemetry's Python SDK and its instrumentations of the AWS SDK, as their documentation says to use them."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from opentelemetry import baggage, context, propagate
from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor
from opentelemetry.instrumentation.boto3sqs import Boto3SQSInstrumentor
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

import their_function

LAMBDA_CONTEXT = SimpleNamespace(
    function_name="theirs",
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:theirs",
    aws_request_id="c6af9ac6-7b61-11e6-9a41-93e812345678",
)


class Tracing:
    """Their spans, while and after they are recorded."""

    def __init__(self):
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def spans(self, kind):
        """The ended spans of a kind, in the order of their start."""
        spans = [span for span in self._exporter.get_finished_spans() if span.kind == kind]
        return sorted(spans, key=lambda span: span.start_time)

    @contextmanager
    def transaction(self, **members):
        """Runs the block in a trace of its own, with `members` as its baggage."""
        carried = context.Context()
        for name, value in members.items():
            carried = baggage.set_baggage(name, value, carried)
        token = context.attach(carried)
        try:
            with self.provider.get_tracer("interop").start_as_current_span("checkout"):
                yield
        finally:
            context.detach(token)


@contextmanager
def instrumented(instrumentor):
    """Switches one of their instrumentations on for the clients that are made in the block."""
    tracing = Tracing()
    instrumentor.instrument(tracer_provider=tracing.provider)
    try:
        yield tracing
    finally:
        instrumentor.uninstrument()


def boto3sqs():
    """Their instrumentation of SQS clients: the context in message attributes."""
    return instrumented(Boto3SQSInstrumentor())


def botocore():
    """Their instrumentation of all clients: the context in attributes for SNS, else in an X-Ray header."""
    return instrumented(BotocoreInstrumentor())


def ids(span_context):
    """Trace and span id in hex, as OTLP JSON has them."""
    return format_trace_id(span_context.trace_id), format_span_id(span_context.span_id)


@contextmanager
def function():
    """Their instrumentation of Lambda functions: gives their spans and the function to invoke."""
    with pytest.MonkeyPatch.context() as env:
        env.setenv("_HANDLER", "their_function.handle")
        env.setenv("AWS_LAMBDA_FUNCTION_NAME", "theirs")
        with instrumented(AwsLambdaInstrumentor()) as tracing:

            def invoke(event, trace_header=None):
                if trace_header:
                    env.setenv("_X_AMZN_TRACE_ID", trace_header)  # as Lambda's runtime does
                return their_function.handle(event, LAMBDA_CONTEXT)

            yield tracing, invoke


@contextmanager
def propagators(*used):
    """Switches their process to other propagators, as OTEL_PROPAGATORS does."""
    former = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator(used))
    try:
        yield
    finally:
        propagate.set_global_textmap(former)
