// From the request to the provider, and from the provider's success to ready: 100 trainings of 12 different photos each, 20 at a time.
// The photos are uploaded before the first request: what is measured begins with the request. Uploading has a bench of its own.
// Beside it in the same run, also 20 at a time, a plain client does what one submission reads, writes and uploads (path/plain.mjs), half of it
// before and half of it after. Last come trainings whose webhooks never arrive, so that only looking finds their end; they end anywhere within an interval.
//   --trainings N (100)   --at-a-time N (20)   --looked N (60)
// Times are the wall clock of this one machine; the goals are ratios.
import { readFile, readdir } from 'node:fs/promises';
import { randomBytes, randomUUID } from 'node:crypto';
import path from 'node:path';
import { numbers, quantile, round } from './shared/figures.mjs';
import { readSpans, seconds } from './shared/spans.mjs';
import { plainClient } from './path/plain.mjs';

const [topologyFile, ...options] = process.argv.slice(2);
const option = numbers(options);
const trainings = option('--trainings', 100);
const atATime = option('--at-a-time', 20);
const looked = option('--looked', 60);
const lookInterval = 10; // seconds; bench/run.sh sets it
const deadline = Date.now() + 30 * 60_000;

const topology = JSON.parse(await readFile(topologyFile, 'utf8'));
const key = { authorization: `Bearer ${topology.development_key}` };
const admin = { authorization: `Bearer ${topology.sandbox_admin_token}` };
const samples = path.join(import.meta.dirname, '..', 'samples', 'photos');
const photos = await Promise.all((await readdir(samples)).filter(f => /\.jpe?g$/i.test(f)).sort().map(async f => [f, await readFile(path.join(samples, f))]));

async function call(method, url, { body, headers, expect = [200, 201, 202] } = {}) {
  const response = await fetch(url, { method, body, headers: { ...key, ...headers } });
  if (!expect.includes(response.status)) throw new Error(`${method} ${new URL(url).pathname}: ${response.status} ${await response.text()}`);
  return response.json();
}

// Another rounding of the same picture: its pixels differ, so no dataset is answered from an earlier one of the same content.
function unique(jpeg) {
  const changed = Buffer.from(jpeg);
  for (let at = 2; changed[at] === 0xff && changed[at + 1] !== 0xda; at += 2 + changed.readUInt16BE(at + 2)) {
    if (changed[at + 1] !== 0xdb) continue;
    const end = at + 2 + changed.readUInt16BE(at + 2);
    // Each table: one byte of kind (the high half is 0 for bytes), then 64 steps; the first is the brightness and stays.
    for (let table = at + 4; table + 65 <= end; table += 65) {
      randomBytes(63).forEach((value, i) => { if (value & 1 && changed[table + 2 + i] < 255) changed[table + 2 + i] += 1; });
    }
  }
  return changed;
}

const { text_version } = await call('GET', `${topology.gateway}/api/photo-sets/consent-text`);
const agreement = JSON.stringify({ text_version });
async function upload(n) {
  const set = await call('POST', `${topology.gateway}/api/photo-sets`, { body: JSON.stringify({ name: `bench ${n}` }), headers: { 'content-type': 'application/json' } });
  const form = new FormData();
  for (let i = 0; i < 12; i++) {
    const [name, bytes] = photos[i % photos.length];
    form.append('photos', new Blob([unique(bytes)], { type: 'image/jpeg' }), `${i}-${name}`);
  }
  await call('POST', `${topology.gateway}/api/photo-sets/${set.id}/photos`, { body: form });
  await call('POST', `${topology.gateway}/api/photo-sets/${set.id}/consent`, { body: agreement, headers: { 'content-type': 'application/json' } });
  return set;
}

const runs = [];
async function train(n, set, pause = 400) {
  const requestedAt = Date.now();
  const identity = await call('POST', `${topology.gateway}/api/identities`, {
    body: JSON.stringify({ name: `bench ${n}`, photo_set_id: set.id, preset: 'economy' }),
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
  });
  const run = { id: identity.id, requestedAt };
  runs.push(run);
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, pause));
    const seen = await call('GET', `${topology.gateway}/api/identities/${run.id}`);
    if (seen.status === 'ready') { run.readyAt = Date.now(); run.job = seen.versions[0].id; return; }
    if (seen.status === 'failed' || seen.status === 'canceled') throw new Error(`${run.id}: ${seen.status} ${seen.error_message}`);
    if (Date.now() > deadline) throw new Error(`${run.id}: still ${seen.status} ${seen.stage}`);
  }
}

const sets = [];
async function each(count, atOnce, work) {
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => { while (next < count) await work(next++); }));
}
await each(atATime + trainings, 4, async n => { sets[n] = await upload(n); });
const plain = await plainClient(topology, path.dirname(topologyFile), { atATime });
const stored = [], plainSeconds = [];
await each(trainings, atATime, async n => {
  stored[n] = await plain.photosOf(sets[atATime + n]);
  if (stored[n].length !== 12) throw new Error(`${stored[n].length} photos of a set are stored, not 12`);
});
async function submitPlainly(n) {
  const start = performance.now();
  await plain.submit(stored[n]);
  plainSeconds.push((performance.now() - start) / 1000);
}

// The first burst after a start meets cold services; its figures stand by themselves.
await each(atATime, atATime, n => train(n, sets[n]));
const cold = runs.splice(0);
const half = trainings >> 1;
await each(half, atATime, submitPlainly);
await each(trainings, atATime, n => train(n, sets[atATime + n]));
await each(trainings - half, atATime, n => submitPlainly(half + n));
await plain.end();
const warm = runs.splice(0);

async function fault(rule) {
  const response = await fetch(`${topology.sandbox}/admin/faults`, { method: 'POST', headers: { ...admin, 'content-type': 'application/json' }, body: JSON.stringify(rule) });
  if (!response.ok) throw new Error(`POST /admin/faults: ${response.status} ${await response.text()}`);
}
if (looked > 0) {
  await fault({ on: 'webhook', count: 0, action: { kind: 'never' } });
  for (let n = 0; n < looked; n++) await fault({ on: 'training', count: 1, action: { kind: 'quirks', quirks: { seconds: lookInterval * (0.5 + ((n * 7) % looked) / looked) } } });
}
await each(looked, atATime, n => train(n, sets[n % sets.length], 200));
const unannounced = runs.splice(0);

const invoice = await call('GET', `${topology.sandbox}/admin/invoice`, { headers: admin });
const billed = new Map(invoice.runs.map(line => [line.id, line]));
for (const run of [...cold, ...warm, ...unannounced]) {
  const job = await call('GET', `${topology.gateway}/api/trainings/${run.job}`);
  const { run_id: id } = job.attempts.at(-1);
  const provider = { headers: { authorization: `Bearer ${topology.replicate_token}` } };
  const training = await (await fetch(`${topology.sandbox_parts.replicate}/trainings/${id}`, provider)).json();
  run.submit = (Date.parse(billed.get(id).accepted_at) - run.requestedAt) / 1000;
  run.ready = (run.readyAt - Date.parse(training.completed_at)) / 1000;
}

// The dashboard has the spans: those of the store's port, by the trace of their request.
async function storeSeconds() {
  const port = new URL(topology.s3).port;
  const spans = await readSpans(topology);
  const requests = new Set(spans.filter(span => span.name.startsWith('POST /api/identities/{')).map(span => span.traceId));
  const sums = new Map();
  for (const span of spans) {
    const isStore = requests.has(span.traceId) && span.attributes?.some(a => a.key === 'server.port' && (a.value.stringValue ?? String(a.value.intValue)) === port);
    if (isStore) sums.set(span.traceId, (sums.get(span.traceId) ?? 0) + seconds(span));
  }
  return [...sums.values()];
}

const submit = warm.map(run => run.submit);
const ready = warm.map(run => run.ready);
const found = unannounced.map(run => run.ready);
const store = await storeSeconds();
const figures = {
  trainings: warm.length,
  runs_billed: billed.size - cold.length - unannounced.length,
  submit_p50_s: round(quantile(submit, 0.5)),
  submit_p99_s: round(quantile(submit, 0.99)),
  plain_p50_s: round(quantile(plainSeconds, 0.5)),
  plain_p99_s: round(quantile(plainSeconds, 0.99)),
  submit_ratio: round(quantile(submit, 0.99) / quantile(plainSeconds, 0.99)),
  ready_p50_s: round(quantile(ready, 0.5)),
  ready_p99_s: round(quantile(ready, 0.99)),
  unannounced_p50_s: found.length ? round(quantile(found, 0.5)) : null,
  unannounced_p99_s: found.length ? round(quantile(found, 0.99)) : null,
  ready_ratio: found.length ? round(quantile(found, 0.99) / lookInterval) : null,
  cold_submit_p99_s: round(quantile(cold.map(run => run.submit), 0.99)),
  // Seconds that calls to the S3 store took within one training's trace, added up (they overlap).
  store_p50_s: store.length ? round(quantile(store, 0.5)) : null,
  store_traces: store.length,
};
const goals = { submit_ratio: 2, ready_ratio: 1.2 };
console.log(JSON.stringify({ name: 'path', figures, goals, met: Object.entries(goals).every(([name, goal]) => figures[name] !== null && figures[name] <= goal) && figures.runs_billed === warm.length }));
