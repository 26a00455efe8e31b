// Cancels a training before and after its start. Prints one JSON object.
import { readFileSync } from "node:fs";
import Replicate from "replicate";

const replicate = new Replicate({ auth: process.env.REPLICATE_API_TOKEN, baseUrl: process.env.REPLICATE_BASE_URL });
const { username } = await replicate.accounts.current();
await replicate.models.create(username, "canceled", { visibility: "private", hardware: "gpu-t4" });
const file = await replicate.files.create(readFileSync(process.env.PHOTOS_ZIP));
const trainer = await replicate.models.get("ostris", "flux-dev-lora-trainer");

const create = () => replicate.trainings.create("ostris", "flux-dev-lora-trainer", trainer.latest_version.id, {
  destination: `${username}/canceled`,
  input: { input_images: file.urls.get },
});

const early = await replicate.trainings.cancel((await create()).id);
const started = await create();
await replicate.wait(started, { interval: 50 }, async (update) => update.status === "processing");
const late = await replicate.trainings.cancel(started.id);
const again = await replicate.trainings.cancel(started.id);

console.log(JSON.stringify({ early, late, again, name: file.name, type: file.content_type }));
