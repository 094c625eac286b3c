// The peer: @tus/server with its own FileStore on plain http, without accounts, records, leases or checksums.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const directory = process.argv[2];
if (directory === undefined) throw new Error('Name the folder to store in');
const tus = new Server({ path: '/files', datastore: new FileStore({ directory }) });
const server = http.createServer((req, res) => void tus.handle(req, res));
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  process.send?.({
    type: 'ready',
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/files`,
  });
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
