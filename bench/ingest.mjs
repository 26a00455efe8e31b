// 40 photos of 12 megapixels through gateway, service and store, beside libvips alone and beside an ordinary server of express, multer and
// sharp that makes the same outputs into the same store. All in one run, in turns; each figure is the median of its rounds.
//   --rounds N (5)   --photos N (40)   --many N (400): photos for the memory's growth
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { median, numbers, round } from './shared/figures.mjs';
import { connection, cpu, find, watch } from './shared/processes.mjs';

const run = promisify(execFile);
const [topologyFile, ...options] = process.argv.slice(2);
const option = numbers(options);
const rounds = option('--rounds', 5), count = option('--photos', 40), many = option('--many', 400);
const topology = JSON.parse(await readFile(topologyFile, 'utf8'));
const here = path.join(import.meta.dirname, 'ingest');
const root = path.join(import.meta.dirname, '..');
const work = await mkdtemp(path.join(os.tmpdir(), 'flurrty-ingest-'));
const note = text => console.error(`ingest: ${text}`);
let server;

// The drawn samples, enlarged and under a camera's noise: a seeded generator, so that every run measures the same files.
async function makePhotos(sharp) {
  const samples = (await readdir(path.join(root, 'samples', 'photos'))).filter(name => /\.jpe?g$/i.test(name)).sort();
  let state = 1;
  const noise = Buffer.alloc(4000 * 3000 * 3 + 4096);
  for (let i = 0; i < noise.length; i++) { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; noise[i] = 118 + (state >>> 24) % 20; }
  const files = [];
  for (let i = 0; i < count; i++) {
    const base = await sharp(path.join(root, 'samples', 'photos', samples[i % samples.length])).rotate(i * 7 % 30, { background: '#888' }).resize(4000, 3000, { fit: 'cover' }).removeAlpha().raw().toBuffer();
    const shift = (i * 97) % 4096;
    for (let at = 0; at < base.length; at++) base[at] = Math.max(0, Math.min(255, base[at] + noise[at + shift] - 128));
    const file = path.join(work, `${String(i).padStart(3, '0')}.jpg`);
    await sharp(base, { raw: { width: 4000, height: 3000, channels: 3 } }).jpeg({ quality: 90 }).toFile(file);
    files.push(file);
  }
  return files;
}

const form = files => files.flatMap(file => ['-F', `photos=@${file};type=image/jpeg`]);

async function post(url, files, headers = []) {
  const { stdout } = await run('curl', ['-sS', '--fail-with-body', '-H', 'Expect:', ...headers.flatMap(header => ['-H', header]), ...form(files), url], { maxBuffer: 64 << 20 });
  return JSON.parse(stdout);
}

// A new set each time, so that nothing is known from before.
async function ours(files) {
  const headers = { authorization: `Bearer ${topology.development_key}`, 'content-type': 'application/json' };
  const created = await fetch(`${topology.gateway}/api/photo-sets`, { method: 'POST', headers, body: JSON.stringify({ name: 'ingest' }) });
  const set = await created.json();
  const url = `${topology.gateway}/api/photo-sets/${set.id}`;
  await post(`${url}/photos`, files, [`Authorization: Bearer ${topology.development_key}`]);
  const seen = await (await fetch(url, { headers })).json();
  const accepted = seen.photo_count ?? seen.photos?.length;
  if (accepted !== files.length) throw new Error(`${accepted} of ${files.length} photos were accepted`);
}

async function timed(pid, work) {
  const before = cpu(pid), started = performance.now();
  await work();
  const wall = (performance.now() - started) / 1000, after = cpu(pid);
  return { wall, cpu: after.all - before.all, own: after.own - before.own };
}

try {
  note('installing what it is compared with');
  await run('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '--silent', '--prefix', here]);
  const library = (await readdir(path.join(root, 'artifacts', 'imaging'))).find(name => name.startsWith('libvips-cpp.so'));
  const libraries = path.join(root, 'artifacts', 'imaging');
  await run('cc', ['-O2', path.join(here, 'limit.c'), '-o', path.join(work, 'limit'), path.join(libraries, library), `-Wl,-rpath,${libraries}`, '-Wl,--allow-shlib-undefined']);
  const { default: sharp } = await import(path.join(here, 'node_modules', 'sharp', 'dist', 'index.mjs'));
  note(`making ${count} photos of 12 megapixels`);
  const files = await makePhotos(sharp);

  const service = find('Flurrty.UploadService', new URL(topology.s3).host);
  const store = connection(service, 'photos');
  server = spawn(process.execPath, [path.join(here, 'server.mjs')], { env: { ...process.env, BENCH_STORE: JSON.stringify(store) }, stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise((resolve, reject) => { createInterface({ input: server.stdout }).once('line', resolve); server.once('exit', code => reject(new Error(`the server ended with ${code}`))); });
  const theirs = async files => { const made = await post(`http://127.0.0.1:${port}/photos`, files); if (made.length !== files.length) throw new Error('photos are missing'); };
  const limit = async () => JSON.parse((await run(path.join(work, 'limit'), files, { env: { ...process.env, VIPS_WARNING: '1' } })).stdout);

  note('warming up');
  for (let time = 0; time < 2; time++) {
    await ours(files);
    await theirs(files);
  }

  await limit();

  const measured = { limit: [], ours: [], theirs: [] };
  let memoryOurs = 0, memoryTheirs = 0;
  for (let round = 0; round < rounds; round++) {
    note(`round ${round + 1} of ${rounds}`);
    measured.limit.push(await limit());
    const mine = watch(service);
    measured.ours.push(await timed(service, () => ours(files)));
    memoryOurs = Math.max(memoryOurs, mine.stop());
    const others = watch(server.pid);
    measured.theirs.push(await timed(server.pid, () => theirs(files)));
    memoryTheirs = Math.max(memoryTheirs, others.stop());
  }

  note(`memory: 10 photos, then ${many}`);
  const few = watch(service);
  await ours(files.slice(0, 10));
  const memoryFew = few.stop();
  const lots = watch(service);
  for (let sent = 0; sent < many; sent += count) await ours(files);
  const memoryMany = lots.stop();

  const limitCpu = median(measured.limit.map(m => m.cpu)), mineWall = median(measured.ours.map(m => m.wall)), theirWall = median(measured.theirs.map(m => m.wall));
  const figures = {
    photos: count,
    photos_per_s: round(count / mineWall),
    photos_per_s_sharp: round(count / theirWall),
    cpu_ms_per_photo_limit: round(limitCpu / count * 1000),
    cpu_ms_per_photo: round(median(measured.ours.map(m => m.cpu)) / count * 1000),
    child_cpu_ratio_limit: round(median(measured.ours.map((m, i) => (m.cpu - m.own) / measured.limit[i].cpu))),
    cpu_ratio_limit: round(median(measured.ours.map((m, i) => m.cpu / measured.limit[i].cpu))),
    rate_ratio_sharp: round(median(measured.ours.map((m, i) => measured.theirs[i].wall / m.wall))),
    memory_mb: round(memoryOurs),
    memory_mb_sharp: round(memoryTheirs),
    memory_ratio_sharp: round(memoryOurs / memoryTheirs),
    memory_growth_mb: round(memoryMany - memoryFew),
  };
  const atMost = { child_cpu_ratio_limit: 1.05, cpu_ratio_limit: 1.2, memory_ratio_sharp: 0.5, memory_growth_mb: 64 }, atLeast = { rate_ratio_sharp: 1 };
  const met = Object.entries(atMost).every(([name, goal]) => figures[name] <= goal) && Object.entries(atLeast).every(([name, goal]) => figures[name] >= goal);
  console.log(JSON.stringify({ name: 'ingest', figures, goals: { ...atMost, ...atLeast }, met }));
} finally {
  server?.kill();
  await rm(work, { recursive: true });
}
