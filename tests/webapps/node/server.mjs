// A Node server for tests/it/front_check: `node server.mjs PORT [MILLISECONDS]`. It closes a connection that was idle for
// that long and does not announce it; without the second argument it does both as Node does.
//
// POST /count/ID, GET /counts: as in counter.py, with the numbers of connections, of requests that hang, and of streams. PUT /slow:
// reads slowly for ten seconds, then as fast as it can, and answers how many bytes it read. GET /hang: is not answered.
// GET /events sends an event every 50 ms, and GET /endless sends 64 KiB as often. Every other request is answered with two
// bytes.

import { createServer } from "node:http";

const [port, idle] = process.argv.slice(2).map(Number);
const posted = new Map();
let connections = 0;
let hanging = 0;
let streams = 0;

const counts = () => {
  const twice = [...posted].filter(([, times]) => times > 1).map(([path]) => path);
  return JSON.stringify({ posted: posted.size, twice, connections, hanging, streams });
};

async function readSlowly(request) {
  const begun = Date.now();
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (Date.now() - begun < 10_000) {
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }
  return String(bytes);
}

// Until the client is gone.
async function sendForever(response, part) {
  while (!response.destroyed) {
    if (!response.writableNeedDrain) {
      response.write(part);
    }
    await new Promise((resume) => setTimeout(resume, 50));
  }
}

const server = createServer(async (request, response) => {
  if (idle) {
    // With a header of its own, Node adds no Keep-Alive.
    response.setHeader("Connection", "keep-alive");
  }
  if (request.url === "/hang") {
    hanging += 1;
    request.on("close", () => (hanging -= 1));
    return;
  }
  if (request.url === "/events" || request.url === "/endless") {
    streams += 1;
    const isEvents = request.url === "/events";
    response.setHeader("Content-Type", isEvents ? "text/event-stream" : "application/octet-stream");
    await sendForever(response, isEvents ? "data: more\n\n" : Buffer.alloc(64 * 1024));
    return;
  }
  if (request.method === "PUT") {
    response.end(await readSlowly(request));
    return;
  }
  for await (const _ of request);
  if (request.method === "POST") {
    posted.set(request.url, (posted.get(request.url) ?? 0) + 1);
  }
  response.end(request.url === "/counts" ? counts() : "ok");
});
if (idle) {
  server.keepAliveTimeout = idle;
}
server.requestTimeout = 0;
server.on("connection", () => (connections += 1));
server.listen(port, "127.0.0.1");
