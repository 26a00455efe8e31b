// tus-js-client uploads a photo through the gateway over a connection that drops in the middle, twice. Prints one JSON object.
import { createHash } from "node:crypto";
import net from "node:net";
import { Upload } from "tus-js-client";
import { png } from "./picture.mjs";

const gateway = new URL(process.env.GATEWAY_URL);
const headers = { Authorization: `Bearer ${process.env.API_KEY}` };

// Passes bytes on, and cuts a connection once as many have gone to the server as the first limit says; then that limit is done.
const limits = [];
let cuts = 0;
const proxy = net.createServer(client => {
  const server = net.connect(Number(gateway.port), gateway.hostname);
  let sent = 0;
  let ending = false;
  const end = () => { client.destroy(); server.destroy(); };
  client.on("data", data => {
    if (ending) return;
    sent += data.length;
    if (limits.length > 0 && sent > limits[0]) {
      limits.shift();
      cuts++;
      ending = true;
      // What was passed on gets there; a mobile connection that is lost does not end in the same instant either.
      setTimeout(end, 700);
      return;
    }
    if (!server.write(data)) client.pause();
  });
  server.on("drain", () => client.resume());
  server.pipe(client);
  client.on("error", end);
  server.on("error", end);
  client.on("close", end);
  server.on("close", end);
});
await new Promise(resolve => proxy.listen(0, "127.0.0.1", resolve));
const weak = `http://127.0.0.1:${proxy.address().port}`;

const json = async (method, path, body) => {
  const answer = await fetch(new URL(path, gateway), { method, headers: { ...headers, ...(body && { "content-type": "application/json" }) }, body: body && JSON.stringify(body) });
  return { status: answer.status, body: await answer.json().catch(() => null) };
};
const newSet = async () => (await json("POST", "/api/photo-sets", { name: "tus" })).body.id;

const upload = (set, photo, options = {}) => {
  const seen = [];
  const result = { seen, url: null, error: null };
  return new Promise(resolve => {
    const client = new Upload(photo, {
      endpoint: `${weak}/api/photo-sets/${set}/tus`,
      headers,
      retryDelays: [1000, 1000, 2000, 2000],
      metadata: { filename: "noise.png", filetype: "image/png" },
      onAfterResponse: (request, response) => seen.push({
        method: request.getMethod(), status: response.getStatus(), offset: Number(request.getHeader("Upload-Offset") ?? response.getHeader("Upload-Offset") ?? 0),
        location: response.getHeader("Content-Location") ?? null, expires: response.getHeader("Upload-Expires") ?? null,
      }),
      onError: error => resolve({ ...result, url: client.url, error: { status: error.originalResponse?.getStatus() ?? 0, body: JSON.parse(error.originalResponse?.getBody() || "null") } }),
      onSuccess: () => resolve({ ...result, url: client.url }),
      ...options,
    });
    options.use?.(client, resolve, result);
    client.start();
  });
};
const path = url => new URL(url).pathname;

// 1. One PATCH with the whole file; the connection is cut twice; the client finds by HEAD where it stands and goes on.
const photo = png(1600, 1300);
const set = await newSet();
limits.push(2_500_000, 1_500_000);
const dropped = await upload(set, photo);
const state = await json("GET", path(dropped.url));
const shown = await json("GET", `/api/photo-sets/${set}`);

// 2. In chunks of the client's choosing, left alone in the middle and resumed by another client that knows the address only.
const second = png(1500, 1300, 2);
const left = await upload(set, second, {
  chunkSize: 1_000_000,
  use: (client, resolve, result) => {
    client.options.onChunkComplete = (_, accepted) => {
      if (accepted >= 3_000_000) client.abort().then(() => resolve({ ...result, url: client.url, accepted }));
    };
  },
});
const resumed = await upload(set, second, { uploadUrl: left.url, chunkSize: 1_700_000 });

// 3. Given up: the client terminates it.
const given = await upload(set, second, {
  chunkSize: 1_000_000,
  use: (client, resolve, result) => {
    client.options.onChunkComplete = () => client.abort(true).then(() => resolve({ ...result, url: client.url }));
  },
});
const gone = await json("GET", path(given.url));

// 4. What is no photo is a problem with the last bytes; what is too large, with the first request.
const text = await upload(set, Buffer.from("This is no photo at all."));
const large = await upload(set, Buffer.alloc(21 * 1024 * 1024));

console.log(JSON.stringify({
  sha256: createHash("sha256").update(photo).digest("hex"), bytes: photo.length, cuts, dropped, state, count: shown.body.photo_count,
  left, resumed, after: (await json("GET", `/api/photo-sets/${set}`)).body.photo_count, given, gone, text, large,
}));
proxy.close();
process.exit(0);
