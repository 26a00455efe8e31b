// The client repeats a GET on 429 and 5xx, and a POST on 429 only. Prints one JSON object.
import Replicate from "replicate";

const replicate = new Replicate({ auth: process.env.REPLICATE_API_TOKEN, baseUrl: process.env.REPLICATE_BASE_URL });
const admin = new URL("/admin/", process.env.REPLICATE_BASE_URL);

const fault = async (rule) => {
  const response = await fetch(new URL("faults", admin), { method: "POST", body: JSON.stringify(rule) });
  return (await response.json()).id;
};
const hits = async (id) => (await (await fetch(new URL(`faults/${id}`, admin))).json()).hits;

const get = await fault({ method: "GET", path: "/v1/account", count: 2, action: { kind: "answer", status: 503 } });
const { username } = await replicate.accounts.current();

const throttled = await fault({ method: "POST", path: "/v1/models", action: { kind: "answer", status: 429, body: { detail: "Request was throttled. Expected available in 1 second." } } });
const model = await replicate.models.create(username, "retried", { visibility: "private", hardware: "gpu-t4" });

const broken = await fault({ method: "POST", path: "/v1/models", count: 0, action: { kind: "answer", status: 500 } });
let status = null;
try {
  await replicate.models.create(username, "broken", { visibility: "private", hardware: "gpu-t4" });
} catch (error) {
  status = error.response.status;
}

const result = { get: await hits(get), model: model.name, throttled: await hits(throttled), broken: await hits(broken), status };
await fetch(new URL("faults", admin), { method: "DELETE" });
console.log(JSON.stringify(result));
