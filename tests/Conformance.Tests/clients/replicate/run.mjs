// Trains, then runs the trained version, blocking and polling. Prints one JSON object.
import { readFileSync } from "node:fs";
import Replicate from "replicate";

const replicate = new Replicate({ auth: process.env.REPLICATE_API_TOKEN, baseUrl: process.env.REPLICATE_BASE_URL, useFileOutput: false });
const { username } = await replicate.accounts.current();
await replicate.models.create(username, "run", { visibility: "private", hardware: "gpu-t4" });
const file = await replicate.files.create(readFileSync(process.env.PHOTOS_ZIP));
const trainer = await replicate.models.get("replicate", "fast-flux-trainer");
const created = await replicate.trainings.create("replicate", "fast-flux-trainer", trainer.latest_version.id, {
  destination: `${username}/run`,
  input: { input_images: file.urls.get, training_steps: 200, lora_type: "subject" },
});
const training = await replicate.wait(created, { interval: 50 });

const blocking = await replicate.run(training.output.version, { input: { prompt: "a photo of TOK" } });
const polling = await replicate.run(training.output.version, { input: { prompt: "a photo of TOK", num_outputs: 2 }, wait: { mode: "poll", interval: 50 } });
const byModel = await replicate.predictions.create({ model: "black-forest-labs/flux-dev-lora", input: { prompt: "a cat" }, wait: true });
const list = await replicate.predictions.list();
const image = await fetch(blocking[0]);

console.log(JSON.stringify({
  weights: training.output.weights,
  blocking,
  polling,
  byModel: { status: byModel.status, version: byModel.version },
  listed: list.results.length,
  image: { status: image.status, type: image.headers.get("content-type") },
}));
