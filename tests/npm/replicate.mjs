// Runs Replicate's npm client: node replicate.mjs BASE_URL TOKEN ACTION MODEL INPUT_JSON; prints one line of JSON.
import fs from "node:fs";
import Replicate, { validateWebhook } from "replicate";

const [baseUrl, auth, action, model, text] = process.argv.slice(2);
const { file, wait, ...input } = JSON.parse(text);
const replicate = new Replicate({ baseUrl, auth, fileEncodingStrategy: "upload" });

async function shown(output) {
  if (Array.isArray(output)) return Promise.all(output.map(shown));
  if (typeof output?.blob !== "function") return output;
  return Buffer.from(await (await output.blob()).arrayBuffer()).toString("base64");
}

async function main() {
  if (file) input.image = fs.readFileSync(file);
  if (action === "run") return { output: await shown(await replicate.run(model, { input, wait })) };
  if (action === "stream") {
    const events = [];
    for await (const event of replicate.stream(model, { input })) events.push([event.event, `${event.data}`]);
    return events;
  }
  if (action === "search") return (await replicate.models.search(model)).results.map((one) => `${one.owner}/${one.name}`);
  if (action === "pages") {
    const ids = [];
    for await (const page of replicate.paginate(replicate.predictions.list)) ids.push(page.map((one) => one.id));
    return ids;
  }
  if (action === "webhook") {
    const secret = (await replicate.webhooks.default.secret.get()).key;
    return validateWebhook({ ...input, secret });
  }
  throw new Error(`no action ${action}`);
}

main().then(
  (value) => process.stdout.write(`\n${JSON.stringify(value)}\n`),
  (error) => process.stdout.write(`\n${JSON.stringify({ error: error.name, message: error.message })}\n`),
);
