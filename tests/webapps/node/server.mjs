// A Node server for tests/it/front_check: `node server.mjs PORT [MILLISECONDS]`. It closes a connection that was idle for
// that long and does not announce it; without the second argument it does both as Node does.
//
// POST /count/ID, GET /counts: as in counter.py, with the number of connections so far and of requests that hang. PUT /slow:
// reads slowly for ten seconds, then as fast as it can, and answers how many bytes it read. GET /hang: is not answered.
// Every other request is answered with two bytes.

import { createServer } from "node:http";

const [port, idle] = process.argv.slice(2).map(Number);
const posted = new Map();
let connections = 0;
let hanging = 0;

const counts = () => {
  const twice = [...posted].filter(([, times]) => times > 1).map(([path]) => path);
  return JSON.stringify({ posted: posted.size, twice, connections, hanging });
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
