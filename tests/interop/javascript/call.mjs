// One call of an AWS client that OpenTelemetry instruments.

import { instrument, reply, request, require, transaction } from "./tracing.mjs";

const { AwsInstrumentation } = require("@opentelemetry/instrumentation-aws-sdk");

const { service, command, input, baggage, propagator, config } = await request();
instrument(new AwsInstrumentation(config), propagator);

const sdk = require(`@aws-sdk/client-${service.toLowerCase()}`);
const client = new sdk[`${service}Client`]({});
reply(await transaction(baggage, () => client.send(new sdk[`${command}Command`](input))));
