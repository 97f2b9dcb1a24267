// Runs OpenAI's npm client: node openai.mjs BASE_URL KEY ACTION INPUT_JSON; prints one line of JSON.
import fs from "node:fs";
import OpenAI, { AzureOpenAI, toFile } from "openai";

const [baseURL, apiKey, action, text] = process.argv.slice(2);
const { files = [], mask, azure, options = {}, ...body } = JSON.parse(text);
const client = azure
  ? new AzureOpenAI({ apiKey, maxRetries: 0, ...azure })
  : new OpenAI({ baseURL, apiKey, maxRetries: 0, ...options });

const picture = (path) => toFile(fs.createReadStream(path), undefined, { type: "image/png" });

async function images() {
  if (action === "generate") return client.images.generate(body);
  const image = await Promise.all(files.map(picture));
  return client.images.edit({ ...body, image, ...(mask ? { mask: await picture(mask) } : {}) });
}

async function main() {
  if (action === "models") return (await client.models.list()).data.map((model) => model.id);
  if (!body.stream) return images();
  const events = [];
  for await (const event of await images()) events.push(event);
  return events;
}

main().then(
  (value) => process.stdout.write(`\n${JSON.stringify(value)}\n`),
  (error) => {
    const { status, code, param, requestID, message } = error;
    const told = { error: error.constructor.name, status, code, param, requestID, message };
    process.stdout.write(`\n${JSON.stringify(told)}\n`);
  },
);
