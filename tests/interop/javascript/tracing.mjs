// OpenTelemetry's SDK for Node and one of its instrumentations, as their documentation says to use them.
// Instrumented packages are loaded with `require`, which the instrumentations hook; NODE_PATH says where they are.

import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

export const require = createRequire(import.meta.url);
const { context, propagation, ROOT_CONTEXT, trace } = require("@opentelemetry/api");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-node");

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

/** What the test asks for. */
export const request = async () => JSON.parse(await text(process.stdin));

// As OTEL_PROPAGATORS names them; none of these: the SDK's default, W3C trace context and baggage.
const PROPAGATORS = {
  xray: () => new (require("@opentelemetry/propagator-aws-xray").AWSXRayPropagator)(),
  "xray-lambda": () => new (require("@opentelemetry/propagator-aws-xray-lambda").AWSXRayLambdaPropagator)(),
};

/** Switches an instrumentation on. */
export function instrument(instrumentation, propagator) {
  provider.register({ propagator: PROPAGATORS[propagator]?.() });
  registerInstrumentations({ instrumentations: [instrumentation], tracerProvider: provider });
}

/** Runs `work` in a trace of its own, with `members` as its baggage. */
export function transaction(members, work) {
  const entries = Object.entries(members).map(([name, value]) => [name, { value }]);
  const carried = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(Object.fromEntries(entries)));
  return context.with(carried, () =>
    provider.getTracer("interop").startActiveSpan("checkout", async (span) => {
      try {
        return await work();
      } finally {
        span.end();
      }
    }),
  );
}

/** The span and the baggage of the code that runs now. */
export function here() {
  const entries = propagation.getActiveBaggage()?.getAllEntries() ?? [];
  const { traceId, spanId } = trace.getActiveSpan()?.spanContext() ?? {};
  return { traceId, spanId, baggage: Object.fromEntries(entries.map(([name, { value }]) => [name, value])) };
}

/** Gives the test the answer and all ended spans. */
export function reply(answer) {
  const spans = exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    kind: span.kind,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parent: span.parentSpanContext?.spanId ?? "",
    links: span.links.map((link) => [link.context.traceId, link.context.spanId]),
    attributes: span.attributes,
  }));
  process.stdout.write(JSON.stringify({ answer, spans }));
}
