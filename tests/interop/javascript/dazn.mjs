// One call of a client of DAZN's Lambda powertools, which wrap version 2 of the AWS SDK.

import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(import.meta.url);
const CorrelationIds = require("@dazn/lambda-powertools-correlation-ids");

const { service, operation, input, ids } = JSON.parse(await text(process.stdin));
CorrelationIds.replaceAllWith(ids);
const client = require(`@dazn/lambda-powertools-${service}-client`);
let answer;
if (service === "http") {
  answer = (await client(input)).body;
} else {
  client.setEndpoint(process.env.AWS_ENDPOINT_URL); // which version 2 of the SDK does not read
  answer = await client[operation](input).promise();
}
process.stdout.write(JSON.stringify({ answer, spans: [] }));
