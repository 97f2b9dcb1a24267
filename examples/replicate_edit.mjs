// Edit a picture with Replicate's own client: `node replicate_edit.mjs apple.png` writes edited.png.
// Needs `npm install replicate`, a running `overpaint serve`, and its key in OVERPAINT_KEY.

import fs from "node:fs";
import Replicate from "replicate";

const server = process.env.OVERPAINT_URL ?? "http://localhost:8000";
const replicate = new Replicate({ auth: process.env.OVERPAINT_KEY, baseUrl: `${server}/replicate/v1` });

const [output] = await replicate.run("qwen/qwen-image-edit", {
  input: { image: fs.readFileSync(process.argv[2]), prompt: "replace the apple with a banana", output_format: "png" },
});
fs.writeFileSync("edited.png", Buffer.from(await (await output.blob()).arrayBuffer()));
