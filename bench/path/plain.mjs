// What one submission reads, writes and uploads on its way to the provider, done by a plain client: the rows of each service, three messages
// through the broker, the photos of the set out of the store, the dataset into it and out again, and the provider's upload. Nothing is checked,
// made or kept of it that a submission's own code would.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { connection, find, variable } from '../shared/processes.mjs';

const QUEUE = 'bench-path';

/** Connects to the servers of a topology that keeps its data in the directory. */
export async function plainClient(topology, directory, { atATime }) {
  await promisify(execFile)('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '--silent', '--prefix', import.meta.dirname]);
  const load = createRequire(path.join(import.meta.dirname, 'package.json'));
  const { S3Client, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } = load('@aws-sdk/client-s3');
  const { Client, Pool } = load('pg');
  const amqp = load('amqplib');
  const service = find('Flurrty.UploadService', new URL(topology.s3).host);

  // The store: the very objects that the service reads, as the service.
  const photos = connection(service, 'photos');
  const store = new S3Client({
    endpoint: photos.Endpoint, region: photos.Region, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED',
    credentials: { accessKeyId: photos.AccessKey, secretAccessKey: photos.SecretKey }, requestHandler: { httpAgent: { keepAlive: true, maxSockets: 4 * atATime } },
  });
  const get = async Key => Buffer.from(await (await store.send(new GetObjectCommand({ Bucket: photos.Bucket, Key }))).Body.transformToByteArray());

  // The database: one of its own on the same server, with rows and an index like those of the services.
  const server = connection(service, 'uploads');
  const keys = JSON.parse(await readFile(path.join(directory, 'keys.json'), 'utf8'));
  const login = { host: server.Host, port: Number(server.Port), user: 'postgres', password: keys['postgres-superuser'] };
  const superuser = new Client({ ...login, database: 'postgres' });
  await superuser.connect();
  await superuser.query('CREATE DATABASE bench');
  await superuser.end();
  const pool = new Pool({ ...login, database: 'bench', max: atATime });
  await pool.query('CREATE TABLE entries (id uuid PRIMARY KEY, account_id uuid NOT NULL, body jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp())');
  await pool.query('CREATE INDEX ON entries (account_id, created_at)');
  const body = JSON.stringify({ text: 'x'.repeat(400) });
  async function write(rows) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      for (let row = 0; row < rows; row++) await client.query('INSERT INTO entries (id, account_id, body) VALUES ($1, $2, $3)', [randomUUID(), randomUUID(), body]);
      await client.query('COMMIT');
    } finally { client.release(); }
  }

  // The broker: confirmed by it, persistent, and acknowledged by who takes it.
  const link = await amqp.connect(variable(service, 'ConnectionStrings__messaging'));
  const out = await link.createConfirmChannel(), back = await link.createChannel();
  await back.assertQueue(QUEUE, { durable: true });
  await back.prefetch(atATime);
  const waiting = new Map();
  await back.consume(QUEUE, message => { back.ack(message); waiting.get(message.properties.messageId)?.(); });
  async function pass() {
    const messageId = randomUUID();
    const taken = new Promise(resolve => waiting.set(messageId, resolve));
    out.sendToQueue(QUEUE, Buffer.from(body), { persistent: true, messageId });
    await Promise.all([out.waitForConfirms(), taken]);
    waiting.delete(messageId);
  }

  const account = keys['account-development'].replaceAll('-', '');
  return {
    /** Where the photos of a set lie. */
    async photosOf(set) {
      const listed = await store.send(new ListObjectsV2Command({ Bucket: photos.Bucket, Prefix: `${account}/${set.id.replaceAll('-', '')}/` }));
      return (listed.Contents ?? []).map(object => object.Key).filter(Key => /[0-9a-f]\.jpg$/.test(Key) && !Key.includes('thumbnail'));
    },

    async submit(found) {
      await write(5); // the identity, its version and the command
      await write(14); // the seal and its photos
      await pass();
      await write(5); // the job and the request for its dataset
      await pass();
      await write(2); // the claim on it
      const parts = [];
      for (const photo of found) parts.push(await get(photo));
      const Key = `bench/${randomUUID()}.zip`;
      const zip = Buffer.concat(parts);
      await store.send(new PutObjectCommand({ Bucket: photos.Bucket, Key, Body: zip, ContentLength: zip.length }));
      await write(3); // the dataset and what tells of it
      await pass();
      await write(2); // the attempt
      const form = new FormData();
      form.append('content', new Blob([await get(Key)], { type: 'application/zip' }), 'bench.zip');
      const uploaded = await fetch(`${topology.sandbox_parts.replicate}/files`, { method: 'POST', headers: { authorization: `Bearer ${topology.replicate_token}` }, body: form });
      if (!uploaded.ok) throw new Error(`POST /v1/files: ${uploaded.status} ${await uploaded.text()}`);
      await uploaded.json();
      await write(2); // its input, and that the request is to be sent
    },
    async end() { await link.close(); await pool.end(); store.destroy(); },
  };
}
