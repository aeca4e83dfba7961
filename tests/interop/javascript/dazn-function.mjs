// One invocation of a function behind the middleware of DAZN's Lambda powertools.

import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(import.meta.url);
const captureCorrelationIds = require("@dazn/lambda-powertools-middleware-correlation-ids");

const { event, awsRequestId } = JSON.parse(await text(process.stdin));
await captureCorrelationIds({ sampleDebugLogRate: 0 }).before({ event, context: { awsRequestId } });
// The ids of each message are no member of it that JSON shows.
const answer = { event, ids: event.Records.map((record) => record.correlationIds.get()) };
process.stdout.write(JSON.stringify({ answer, spans: [] }));
