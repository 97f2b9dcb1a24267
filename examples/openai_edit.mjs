// Edit a picture with OpenAI's own client: `node openai_edit.mjs apple.png` writes edited.png.
// Needs `npm install openai`, a running `overpaint serve`, and its key in OVERPAINT_KEY.

import fs from "node:fs";
import OpenAI from "openai";

const server = process.env.OVERPAINT_URL ?? "http://localhost:8000";
const client = new OpenAI({ apiKey: process.env.OVERPAINT_KEY, baseURL: `${server}/openai/v1` });

const answer = await client.images.edit({
  image: fs.createReadStream(process.argv[2]),
  prompt: "replace the apple with a banana",
});
fs.writeFileSync("edited.png", Buffer.from(answer.data[0].b64_json, "base64"));
