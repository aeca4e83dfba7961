// A function in JavaScript with OpenTelemetry's SDK, whose exporters take everything from the standard variables.
// NODE_PATH says where the packages are.

const { SpanStatusCode } = require("@opentelemetry/api");
const { BatchLogRecordProcessor, LoggerProvider } = require("@opentelemetry/sdk-logs");
const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const SUFFIX = { "http/protobuf": "proto", "http/json": "http" }[process.env.OTEL_EXPORTER_OTLP_PROTOCOL];
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${SUFFIX}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${SUFFIX}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${SUFFIX}`);

const traces = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
traces.register();
const tracer = traces.getTracer("shop");
const metrics = new MeterProvider({
  readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })],
});
const orders = metrics.getMeter("shop").createCounter("orders");
const logs = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })] });
const logger = logs.getLogger("shop");

/** Sends everything of every kind. */
const flush = () => Promise.all([traces, metrics, logs].map((provider) => provider.forceFlush()));

/** Makes the spans that the event names, and ends as it says. */
async function handle(event, requestId) {
  try {
    return await tracer.startActiveSpan(event.name, async (span) => {
      span.setAttribute("request_id", requestId);
      tracer.startActiveSpan(`${event.name}, charge`, (charge) => charge.end());
      orders.add(1);
      logger.emit({ severityText: "INFO", body: `charged: ${event.name}` });
      if (event.flush === "before the end") await flush();
      try {
        await end(event.ends ?? "ok");
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
      return { paid: true };
    });
  } finally {
    if (event.flush === "at the end") await flush();
  }
}

/** Ends the process or the invocation, unless that is to go on. */
async function end(how) {
  if (how === "error") throw new Error("the card is refused");
  if (how === "slow") await new Promise((resolve) => setTimeout(resolve, 500));
  if (how === "time-out") await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (how === "exit") process.exit(3);
}

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html */
async function run() {
  const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
  const post = (path, body) => fetch(`${api}/${path}`, { method: "POST", body: JSON.stringify(body) });
  for (;;) {
    const next = await fetch(`${api}/next`);
    const requestId = next.headers.get("lambda-runtime-aws-request-id");
    try {
      await post(`${requestId}/response`, await handle(await next.json(), requestId));
    } catch (error) {
      await post(`${requestId}/error`, { errorType: error.name, errorMessage: error.message });
    }
  }
}

run();
