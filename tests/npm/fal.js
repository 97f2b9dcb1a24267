// Runs fal's npm client: node fal.js SERVER_URL KEY ACTION ENDPOINT INPUT_JSON [PICTURE]; prints one line of JSON.
const { readFileSync } = require("node:fs");
const { createFalClient } = require("@fal-ai/client");

async function main() {
  const [url, key, action, endpoint, input, picture] = process.argv.slice(2);
  const client = createFalClient({ credentials: key, proxyUrl: { url: `${url}/api/fal/proxy`, when: "always" } });
  const asked = JSON.parse(input);
  if (picture) asked.image_urls = [new Blob([readFileSync(picture)], { type: "image/png" })];
  const updates = [];
  const onQueueUpdate = (update) => updates.push(update);
  if (action === "run") return client.run(endpoint, { input: asked });
  if (action === "upload") return client.storage.upload(new Blob([readFileSync(picture)], { type: "image/png" }));
  if (action === "cancel") {
    const { request_id: requestId } = await client.queue.submit(endpoint, { input: asked });
    await client.queue.cancel(endpoint, { requestId });
    return client.queue.status(endpoint, { requestId });
  }
  if (action === "stream") {
    const stream = await client.stream(endpoint, { input: asked });
    const events = [];
    for await (const event of stream) events.push(event);
    return { events, done: await stream.done() };
  }
  const mode = action === "streaming" ? "streaming" : "polling";
  const result = await client.subscribe(endpoint, { input: asked, logs: true, mode, pollInterval: 100, onQueueUpdate });
  return { ...result, updates };
}

const told = (error) => ({ name: error.name, status: error.status, body: error.body, requestId: error.requestId });

main()
  .catch((error) => (error.status ? { error: told(error) } : Promise.reject(error)))
  .then(
    (value) => process.stdout.write(`\n${JSON.stringify(value)}\n`),
    (error) => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    },
  );
