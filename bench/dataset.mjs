// Building the zip of a set of about 1 GB, beside copying the same objects with the S3 client: each is read from the store and written to it.
// The topology of this bench keeps photos at full size and quality 100 (bench/run.sh), or no set would be that large.
//   --rounds N (3)   --photos N (40)
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { connection, find, watch } from './shared/processes.mjs';
import { median, numbers, round } from './shared/figures.mjs';
import { readSpans, seconds } from './shared/spans.mjs';

const run = promisify(execFile);
const [topologyFile, ...options] = process.argv.slice(2);
const option = numbers(options);
const rounds = option('--rounds', 3), count = option('--photos', 40);
const topology = JSON.parse(await readFile(topologyFile, 'utf8'));
const modules = path.join(import.meta.dirname, 'ingest');
const work = await mkdtemp(path.join(os.tmpdir(), 'flurrty-dataset-'));
const note = text => console.error(`dataset: ${text}`);
const headers = { authorization: `Bearer ${topology.development_key}`, 'content-type': 'application/json' };

async function call(method, url, body) {
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${new URL(url).pathname}: ${response.status} ${await response.text()}`);
  return response.json();
}

// Noise: the largest thing that a JPEG can be.
async function makePhoto(sharp, n) {
  const pixels = Buffer.alloc(4800 * 3600 * 3);
  let state = n + 1;
  for (let i = 0; i < pixels.length; i += 4) { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; pixels.writeUInt32LE((state ^ (state >>> 13)) >>> 0, i); }
  const file = path.join(work, `${n}.jpg`);
  await sharp(pixels, { raw: { width: 4800, height: 3600, channels: 3 } }).jpeg({ quality: 75 }).toFile(file);
  return file;
}

// How long the build took, from the service's own span.
async function buildSeconds(since) {
  for (let tries = 0; tries < 60; tries++) {
    const spans = await readSpans(topology);
    const build = spans.find(span => span.name === 'dataset build' && Number(span.startTimeUnixNano) / 1e6 >= since && span.status?.code !== 2);
    if (build) return seconds(build);
    await new Promise(resolve => setTimeout(resolve, 500));
  }
  throw new Error('the dataset was not built');
}

try {
  await run('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '--silent', '--prefix', modules]);
  const { default: sharp } = await import(path.join(modules, 'node_modules', 'sharp', 'dist', 'index.mjs'));
  const s3 = await import(path.join(modules, 'node_modules', '@aws-sdk', 'client-s3', 'dist-cjs', 'index.js')).then(module => module.default ?? module);
  const service = find('Flurrty.UploadService', new URL(topology.s3).host);
  const store = connection(service, 'photos');
  const client = new s3.S3Client({ endpoint: store.Endpoint, region: store.Region, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED', credentials: { accessKeyId: store.AccessKey, secretAccessKey: store.SecretKey } });

  note(`uploading ${count} large photos`);
  const set = await call('POST', `${topology.gateway}/api/photo-sets`, { name: 'dataset' });
  for (let n = 0; n < count; n++) {
    const file = await makePhoto(sharp, n);
    await run('curl', ['-sS', '--fail-with-body', '-H', `Authorization: ${headers.authorization}`, '-F', `photos=@${file};type=image/jpeg`, `${topology.gateway}/api/photo-sets/${set.id}/photos`]);
    await rm(file);
  }
  const { text_version } = await call('GET', `${topology.gateway}/api/photo-sets/consent-text`);
  await call('POST', `${topology.gateway}/api/photo-sets/${set.id}/consent`, { text_version });
  const listed = await client.send(new s3.ListObjectsV2Command({ Bucket: store.Bucket }));
  const objects = listed.Contents.filter(object => object.Size > 1_000_000);
  if (objects.length !== count) throw new Error(`${objects.length} large objects are stored, not ${count}`);
  const megabytes = objects.reduce((sum, object) => sum + object.Size, 0) / 1e6;

  async function copy() {
    const started = performance.now();
    for (const { Key, Size } of objects) {
      const read = await client.send(new s3.GetObjectCommand({ Bucket: store.Bucket, Key }));
      await client.send(new s3.PutObjectCommand({ Bucket: store.Bucket, Key: 'bench-copy', Body: read.Body, ContentLength: Size }));
    }
    const seconds = (performance.now() - started) / 1000;
    await client.send(new s3.DeleteObjectCommand({ Bucket: store.Bucket, Key: 'bench-copy' }));
    return seconds;
  }

  async function build() {
    const since = Date.now();
    const idle = watch(service).stop();
    const memory = watch(service);
    const response = await fetch(`${topology.gateway}/api/identities`, {
      method: 'POST', headers: { ...headers, 'idempotency-key': crypto.randomUUID() },
      body: JSON.stringify({ name: 'dataset', photo_set_id: set.id, preset: 'economy' }),
    });
    if (!response.ok) throw new Error(`POST /api/identities: ${response.status} ${await response.text()}`);
    const { id } = await response.json();
    // Whether the provider takes a dataset of this size is its own affair; it is built before.
    for (;;) {
      const seen = await call('GET', `${topology.gateway}/api/identities/${id}`);
      if (seen.status === 'ready' || seen.status === 'failed') break;
      await new Promise(resolve => setTimeout(resolve, 300));
    }
    return { seconds: await buildSeconds(since), peak: memory.stop() - idle };
  }

  const builds = [], copies = [];
  for (let round = 0; round < rounds; round++) {
    note(`round ${round + 1} of ${rounds}`);
    copies.push(await copy());
    builds.push(await build());
  }
  const figures = {
    set_mb: round(megabytes),
    build_mb_per_s: round(megabytes / median(builds.map(b => b.seconds))),
    copy_mb_per_s: round(megabytes / median(copies)),
    rate_ratio_copy: round(median(builds.map((b, i) => copies[i] / b.seconds))),
    peak_mb: round(Math.max(...builds.map(b => b.peak))),
  };
  console.log(JSON.stringify({ name: 'dataset', figures, goals: { rate_ratio_copy: 0.8, peak_mb: 96 }, met: figures.rate_ratio_copy >= 0.8 && figures.peak_mb <= 96 }));
} finally {
  await rm(work, { recursive: true });
}
