// Edit a picture with fal's own client: `node fal_edit.mjs apple.png` writes edited.png.
//
// Needs `npm install @fal-ai/client`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
import { readFileSync, writeFileSync } from "node:fs";
import { fal } from "@fal-ai/client";

const server = process.env.OVERPAINT_URL ?? "http://localhost:8000";
fal.config({
  credentials: process.env.OVERPAINT_KEY,
  proxyUrl: { url: `${server}/api/fal/proxy`, when: "always" },
});

const picture = new Blob([readFileSync(process.argv[2])], { type: "image/png" });
const { data } = await fal.subscribe("fal-ai/qwen-image-edit-plus", {
  input: { prompt: "replace the apple with a banana", image_urls: [picture], num_inference_steps: 4, seed: 1 },
});
const answer = await fetch(data.images[0].url);
writeFileSync("edited.png", Buffer.from(await answer.arrayBuffer()));
