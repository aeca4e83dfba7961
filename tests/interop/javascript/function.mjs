// One invocation of a function that OpenTelemetry instruments, loaded as Lambda's runtime loads it.

import { here, instrument, reply, request, require } from "./tracing.mjs";

const { propagation, ROOT_CONTEXT } = require("@opentelemetry/api");
const { AwsLambdaInstrumentation } = require("@opentelemetry/instrumentation-aws-lambda");

const { event, clientContext, traceHeader, propagator, config } = await request();
process.env.LAMBDA_TASK_ROOT = import.meta.dirname;
process.env._HANDLER = "handler.handle";
if (traceHeader) process.env._X_AMZN_TRACE_ID = traceHeader; // as Lambda's runtime does

// They leave it to the program to say where an event has its context; for a direct invoke it has none, the client
// context has. https://www.npmjs.com/package/@opentelemetry/instrumentation-aws-lambda
const eventContextExtractor = (_, context) => propagation.extract(ROOT_CONTEXT, context.clientContext?.custom ?? {});
instrument(new AwsLambdaInstrumentation({ eventContextExtractor, ...config }), propagator);

const context = {
  functionName: "theirs",
  awsRequestId: "c6af9ac6-7b61-11e6-9a41-93e812345678",
  invokedFunctionArn: "arn:aws:lambda:eu-west-1:123456789012:function:theirs",
  clientContext,
};
globalThis.here = here;
reply(await require("./handler.cjs").handle(event, context));
