// The whole life of a training, through the client's own methods. Prints one JSON object.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Replicate, { parseProgressFromLogs, validateWebhook } from "replicate";

const replicate = new Replicate({ auth: process.env.REPLICATE_API_TOKEN, baseUrl: process.env.REPLICATE_BASE_URL });
const zip = readFileSync(process.env.PHOTOS_ZIP);

const webhooks = [];
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }

  webhooks.push({ headers: request.headers, body: Buffer.concat(chunks).toString("utf8") });
  response.writeHead(200).end();
  server.emit("webhook");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const account = await replicate.accounts.current();
const hardware = await replicate.hardware.list();
const secret = await replicate.webhooks.default.secret.get();

const file = await replicate.files.create(new File([zip], "photos.zip", { type: "application/zip" }), { attempt: "1" });
const sameFile = await replicate.files.get(file.id);
const files = await replicate.files.list();

const model = await replicate.models.create(account.username, "conformance", { visibility: "private", hardware: "gpu-t4" });
const trainer = await replicate.models.get("ostris", "flux-dev-lora-trainer");
const trainerVersion = await replicate.models.versions.get("ostris", "flux-dev-lora-trainer", trainer.latest_version.id);

const created = await replicate.trainings.create("ostris", "flux-dev-lora-trainer", trainer.latest_version.id, {
  destination: `${model.owner}/${model.name}`,
  input: { input_images: file.urls.get, steps: 300, trigger_word: "ANNA" },
  webhook: `http://127.0.0.1:${server.address().port}/hook`,
  webhook_events_filter: ["start", "completed"],
});

const seen = new Set();
const waited = await replicate.wait(created, { interval: 50 }, async (update) => {
  seen.add(update.status);
  return false;
});
const training = await replicate.trainings.get(created.id);
const echo = await fetch(training.input.input_images);
const echoed = Buffer.from(await echo.arrayBuffer());

while (!webhooks.some((webhook) => JSON.parse(webhook.body).status === "succeeded")) {
  await once(server, "webhook", { signal: AbortSignal.timeout(20_000) });
}

const verdicts = [];
for (const webhook of webhooks) {
  verdicts.push({
    status: JSON.parse(webhook.body).status,
    valid: await validateWebhook({ headers: webhook.headers, body: webhook.body }, secret.key),
    forged: await validateWebhook({ headers: webhook.headers, body: webhook.body + " " }, secret.key),
  });
}

const weights = Buffer.from(await (await fetch(training.output.weights)).arrayBuffer());
const list = await replicate.trainings.list();
const pages = [];
for await (const page of replicate.paginate(replicate.trainings.list)) {
  pages.push(page.length);
}

const versions = await replicate.models.versions.list(model.owner, model.name);
const version = await replicate.models.versions.get(model.owner, model.name, versions.results?.[0]?.id ?? versions[0]?.id);
const deleted = await replicate.files.delete(file.id);
server.close();

console.log(JSON.stringify({
  account,
  hardware,
  file,
  sameFile: JSON.stringify(sameFile) === JSON.stringify(file),
  files: files.results.length,
  model,
  trainingInput: Object.keys(trainerVersion.openapi_schema.components.schemas.TrainingInput.properties),
  created,
  seen: [...seen],
  waited: waited.status,
  training,
  echoIsTheUpload: echoed.equals(zip),
  webhooks: verdicts,
  clientProgress: parseProgressFromLogs(training),
  weights: { bytes: weights.length, tar: weights.subarray(257, 262).toString("latin1"), sha256: createHash("sha256").update(weights).digest("hex") },
  listed: list.results.map((one) => ({ id: one.id, status: one.status })),
  pages,
  version: version.id,
  deleted,
}));
