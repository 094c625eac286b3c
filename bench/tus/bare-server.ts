// The floor: the least a Node server can do with a PATCH, which is to append its body to a file.
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const directory = process.argv[2];
if (directory === undefined) throw new Error('Name the folder to store in');
const offsets = new Map<string, number>();
const server = http.createServer(async (req, res) => {
  const base = `http://${req.headers.host}/files/`;
  if (req.method === 'POST') {
    const id = String(offsets.size);
    offsets.set(id, 0);
    await writeFile(path.join(directory, id), '');
    res.writeHead(201, { location: base + id }).end();
    return;
  }
  const id = path.basename(req.url ?? '');
  const start = offsets.get(id) ?? 0;
  const file = createWriteStream(path.join(directory, id), { flags: 'r+', start });
  await pipeline(req, file);
  offsets.set(id, start + file.bytesWritten);
  res.writeHead(204, { 'upload-offset': String(start + file.bytesWritten) }).end();
});
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  process.send?.({
    type: 'ready',
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/files`,
  });
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
