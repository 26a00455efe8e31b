// What the client makes of refusals. Prints one JSON object.
import Replicate from "replicate";

const baseUrl = process.env.REPLICATE_BASE_URL;
const replicate = new Replicate({ auth: process.env.REPLICATE_API_TOKEN, baseUrl });
const { username } = await replicate.accounts.current();
await replicate.models.create(username, "refused", { visibility: "private", hardware: "gpu-t4" });
const trainer = await replicate.models.get("ostris", "flux-dev-lora-trainer");
const latest = trainer.latest_version.id;

const refusal = async (call) => {
  try {
    await call();
    return null;
  } catch (error) {
    const text = /: (\{.*\})\s*\.$/s.exec(error.message)?.[1];
    return { kind: error.name, status: error.response?.status, type: error.response?.headers.get("content-type"), body: text ? JSON.parse(text) : error.message };
  }
};

const train = (client, version, destination, input) => client.trainings.create("ostris", "flux-dev-lora-trainer", version, { destination, input });
const images = { input_images: "https://example.com/photos.zip" };

const result = {
  token: await refusal(() => new Replicate({ auth: "r8_wrong", baseUrl }).accounts.current()),
  destination: await refusal(() => train(replicate, latest, `${username}/nobody`, images)),
  version: await refusal(() => train(replicate, "0".repeat(64), `${username}/refused`, images)),
  exists: await refusal(() => replicate.models.create(username, "refused", { visibility: "private", hardware: "gpu-t4" })),
  file: await refusal(() => replicate.files.get("bm8tc3VjaC1maWxl")),
  training: await refusal(() => replicate.trainings.get("no-such-training")),
};

const invalid = await train(replicate, latest, `${username}/refused`, { ...images, steps: 1 });
try {
  await replicate.wait(invalid, { interval: 50 });
} catch (error) {
  result.invalid = error.message;
}

console.log(JSON.stringify(result));
