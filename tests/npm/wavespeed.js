// Runs WaveSpeed's npm client: node wavespeed.js BASE_URL KEY ACTION MODEL INPUT_JSON; prints one line of JSON.
const { Client } = require("wavespeed");

async function main() {
  const [baseUrl, key, action, model, input] = process.argv.slice(2);
  const client = new Client(key, { baseUrl, retryInterval: 0.1 });
  if (action === "upload") return { url: await client.upload(model) };
  const options = { pollInterval: 0.2, enableSyncMode: action === "sync" };
  return client.runNoThrow(model, JSON.parse(input), options);
}

const withMessages = (_, value) => (value instanceof Error ? { ...value, message: value.message } : value);

main().then(
  (value) => process.stdout.write(`\n${JSON.stringify(value, withMessages)}\n`),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
