import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { DicomwebClient } from './dicomweb-client.js';
import type { StowPart } from './multipart.js';
import { PacsAccesses } from './pacs-access.js';
import type { PacsUnavailable } from './pacs-unavailable.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const never = new AbortController().signal;
const servers: Server[] = [];
const clients: DicomwebClient[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A PACS that does what the test says. */
async function pacs(handler: Handler): Promise<{ url: string; server: Server }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, handler).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dicom-web`, server };
}

function clientOf(url: string, more: Partial<ConstructorParameters<typeof DicomwebClient>[0]> = {}) {
  const settings = {
    url,
    auth: { mode: 'none' as const },
    headers: {},
    tls: { ca: undefined, client: undefined },
    connectTimeoutMs: 5000,
    timeoutMs: 5000,
    answerTimeoutMs: 5000,
    ...more,
  };
  const client = new DicomwebClient(settings, new PacsAccesses().of(settings));
  clients.push(client);
  return client;
}

function partOf(bytes: Buffer, uid = '1.2.3'): StowPart {
  return {
    sopInstanceUid: uid,
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest(),
    async *open() {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  };
}

/** A part as large as one likes that is never in memory. */
function endlessPart(size: number, onChunk: () => void = () => {}): StowPart {
  const chunk = Buffer.alloc(65_536);
  return {
    sopInstanceUid: '1.2.3',
    size,
    sha256: Buffer.alloc(32),
    async *open() {
      for (let at = 0; at < size; at += chunk.length) {
        onChunk();
        yield chunk;
      }
    },
  };
}

const failure = (promise: Promise<unknown>): Promise<PacsUnavailable> =>
  promise.then(
    () => {
      throw new Error('It did not fail');
    },
    (error: PacsUnavailable) => error,
  );

it('sends one request with a Content-Length and the bare part type', async () => {
  const seen: Array<{ headers: IncomingMessage['headers']; url: string; body: string }> = [];
  const { url } = await pacs(async (request, response) => {
    seen.push({ headers: request.headers, url: request.url ?? '', body: await text(request) });
    response.end('{}');
  });
  const reply = await clientOf(url).stow([partOf(Buffer.from('one')), partOf(Buffer.from('two'))], never);
  expect(reply).toEqual({ status: 200, retryAfterSeconds: undefined, body: '{}' });
  const [{ headers, body, url: path }] = seen as [(typeof seen)[0]];
  expect(path).toBe('/dicom-web/studies');
  expect(headers.accept).toBe('application/dicom+json');
  expect(headers['content-length']).toBe(String(Buffer.byteLength(body)));
  expect(headers['transfer-encoding']).toBeUndefined();
  expect(headers['content-type']).toMatch(/^multipart\/related; type="application\/dicom"; boundary=/);
  expect(body.match(/Content-Type: application\/dicom\r\n\r\n/g)).toHaveLength(2);
});

it.each([
  [{ mode: 'none' } as const, undefined],
  [
    { mode: 'basic', username: 'relay', password: 'p:ä' } as const,
    `Basic ${Buffer.from('relay:p:ä').toString('base64')}`,
  ],
  [{ mode: 'bearer', token: 'abc' } as const, 'Bearer abc'],
])('authenticates by %o', async (auth, header) => {
  const seen: Array<string | undefined> = [];
  const { url } = await pacs((request, response) => {
    seen.push(request.headers.authorization);
    response.end('[]');
  });
  await clientOf(url, { auth }).queryInstances('1.2', ['1.2.3'], never);
  expect(seen).toEqual([header]);
});

it('stops writing when the answer comes before the body is read', async () => {
  const { url } = await pacs((_request, response) => {
    response.writeHead(401, { 'Retry-After': '3' }).end('no');
  });
  let chunks = 0;
  const part = endlessPart(1024 ** 3, () => {
    chunks += 1;
  });
  const reply = await clientOf(url).stow([part], never);
  expect(reply).toEqual({ status: 401, retryAfterSeconds: 3, body: 'no' });
  expect(chunks).toBeLessThan(1000);
});

it('reads no faster from storage than the PACS takes', async () => {
  const { url, server } = await pacs(() => {});
  let chunks = 0;
  const part = endlessPart(1024 ** 3, () => {
    chunks += 1;
  });
  const gone = new AbortController();
  const arrived = once(server, 'request');
  const sending = failure(clientOf(url).stow([part], gone.signal));
  await arrived;
  for (let before = -1; before !== chunks; await new Promise((done) => setTimeout(done, 50))) before = chunks;
  expect(chunks).toBeLessThan(400);
  gone.abort(new Error('enough'));
  expect((await sending).message).toBe('enough');
});

it('gives up on a PACS that says nothing', async () => {
  const { url } = await pacs(() => {});
  const error = await failure(
    clientOf(url, { answerTimeoutMs: 200 }).stow([partOf(Buffer.from('x'))], never),
  );
  expect(error).toMatchObject({ name: 'PacsUnavailable', kind: 'unreachable', staleConnection: false });
  expect(error.settleSeconds).toBeGreaterThan(0);
});

it('gives a PACS longer to answer what it stores than it may be silent meanwhile', async () => {
  const { url } = await pacs(async (request, response) => {
    await text(request);
    setTimeout(() => response.end('{}'), request.method === 'POST' ? 500 : 5000);
  });
  const client = clientOf(url, { timeoutMs: 150, answerTimeoutMs: 5000 });
  expect(await client.stow([partOf(Buffer.from('x'))], never)).toMatchObject({ status: 200 });
  const error = await failure(client.queryInstances('1.2', [], never));
  expect(error.message).toMatch(/nothing was heard for 0\.15 s \(PACS_TIMEOUT_SECONDS\)/);
});

it('names the variable by which a PACS that is slow to answer gets more time', async () => {
  const { url } = await pacs(() => {});
  const client = clientOf(url, { answerTimeoutMs: 150 });
  const error = await failure(client.stow([partOf(Buffer.from('x'))], never));
  expect(error.message).toMatch(/no answer came within 0\.15 s \(PACS_ANSWER_TIMEOUT_SECONDS\)/);
});

it('gives up on a PACS that takes no more of a request, however long it may take to answer', async () => {
  const { url } = await pacs(() => {});
  const client = clientOf(url, { timeoutMs: 200, answerTimeoutMs: 60_000 });
  const error = await failure(client.stow([endlessPart(1024 ** 3)], never));
  expect(error).toMatchObject({ kind: 'unreachable', staleConnection: false });
  expect(error.message).toMatch(/nothing was taken for 0\.2 s \(PACS_TIMEOUT_SECONDS\)/);
  expect(error.settleSeconds).toBeGreaterThan(0);
});

it('does not take a storage that is slow to read for a PACS that takes nothing', async () => {
  const { url } = await pacs(async (request, response) => {
    await text(request);
    response.end('{}');
  });
  const bytes = Buffer.from('slowly');
  const slow: StowPart = {
    ...partOf(bytes),
    async *open() {
      yield bytes.subarray(0, 1);
      await new Promise((done) => setTimeout(done, 500));
      yield bytes.subarray(1);
    },
  };
  expect(await clientOf(url, { timeoutMs: 100 }).stow([slow], never)).toMatchObject({ status: 200 });
});

it('gives up on an answer that stops in the middle', async () => {
  const { url } = await pacs((_request, response) => {
    response.write('[');
  });
  const error = await failure(clientOf(url, { timeoutMs: 150 }).queryInstances('1.2', [], never));
  expect(error).toMatchObject({ kind: 'unreachable' });
  expect(error.message).toMatch(/nothing was heard/);
});

it.each([200, 202, 204, 400, 409])(
  'hands out the body of an answer %i, whatever its type',
  async (status) => {
    const body = status === 204 ? '' : '{"00081199":{"vr":"SQ"}}';
    const { url } = await pacs(async (request, response) => {
      await text(request);
      response.writeHead(status).end(body);
    });
    const reply = await clientOf(url).stow([partOf(Buffer.from('x'))], never);
    expect(reply).toMatchObject({ status, body });
  },
);

it('reports a connection that is dropped in the middle of the body', async () => {
  const { url } = await pacs((request) => {
    request.once('data', () => request.socket.destroy());
  });
  const error = await failure(clientOf(url).stow([partOf(Buffer.alloc(20_000_000))], never));
  expect(error).toMatchObject({ kind: 'unreachable', staleConnection: false });
});

it('reports a PACS that is not there', async () => {
  const { url, server } = await pacs(() => {});
  server.close();
  await once(server, 'close');
  expect(await failure(clientOf(url).queryInstances('1.2', [], never))).toMatchObject({
    kind: 'unreachable',
  });
});

it('repeats a query on a new connection when the kept one was closed meanwhile', async () => {
  const used = new Set<Socket>();
  const { url } = await pacs((request, response) => {
    // As a PACS whose keep-alive ran out in the same moment.
    if (used.has(request.socket)) request.socket.resetAndDestroy();
    else response.end('[]');
    used.add(request.socket);
  });
  const client = clientOf(url);
  await client.queryInstances('1.2', [], never);
  await client.queryInstances('1.2', [], never);
  expect(used.size).toBe(2);
});

it('does not repeat a STOW request by itself, but says that a kept connection was closed', async () => {
  const used = new Set<Socket>();
  let sent = 0;
  const { url } = await pacs((request, response) => {
    if (request.method === 'POST') sent += 1;
    if (used.has(request.socket)) request.socket.resetAndDestroy();
    else response.end('[]');
    used.add(request.socket);
  });
  const client = clientOf(url);
  await client.queryInstances('1.2', [], never);
  const error = await failure(client.stow([endlessPart(1024 ** 3)], never));
  expect(error).toMatchObject({ kind: 'unreachable', staleConnection: true });
  expect(sent).toBe(1);
});

it('takes a request that went out whole for one whose answer was lost', async () => {
  const { url } = await pacs(async (request, response) => {
    if (request.method === 'GET') return response.end('[]');
    await text(request);
    return request.socket.resetAndDestroy();
  });
  const client = clientOf(url);
  await client.queryInstances('1.2', [], never);
  const error = await failure(client.stow([partOf(Buffer.from('x'))], never));
  expect(error).toMatchObject({ kind: 'unreachable', staleConnection: false });
});

const found = (uid: string, study = '1.2') => ({
  '00080018': { vr: 'UI', Value: [uid] },
  '0020000D': { vr: 'UI', Value: [study] },
  '0020000E': { vr: 'UI', Value: ['1.2.9'] },
});

it('asks page by page, however few a page holds, until everything wanted was seen', async () => {
  const all = ['a', 'b', 'c', 'd', 'e'];
  const offsets: number[] = [];
  const { url } = await pacs((request, response) => {
    const offset = Number(new URL(request.url ?? '', 'http://x').searchParams.get('offset'));
    offsets.push(offset);
    const page = all.slice(offset, offset + 2).map((uid) => found(uid));
    if (page.length === 0) response.writeHead(204).end();
    else response.end(JSON.stringify(page));
  });
  const client = clientOf(url);
  const held = await client.queryInstances('1.2', ['z'], never);
  expect([...held]).toEqual(all.map((uid) => [uid, '1.2.9']));
  expect(offsets).toEqual([0, 2, 4, 5]);
  await client.queryInstances('1.2', ['a', 'c'], never);
  expect(offsets.slice(4)).toEqual([0, 2]);
});

it.each([
  ['gives all that is asked for', 200, [0, 200, 400]],
  ['gives more than is asked for', 500, [0, 200, 400]],
  ['gives 150', 150, [0, 200, 400, 150, 300, 450]],
  ['gives 100', 100, [0, 200, 400, 100, 200, 300, 400, 500]],
  ['gives 50', 50, [0, 200, 400, ...Array.from({ length: 11 }, (_, i) => (i + 1) * 50)]],
])(
  'asks for three pages of a large study at once, and misses none where the archive %s',
  async (_, most, asked) => {
    const all = Array.from({ length: 600 }, (_, i) => `1.${i}`);
    const offsets: number[] = [];
    const { url } = await pacs((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://x');
      const offset = Number(searchParams.get('offset'));
      offsets.push(offset);
      const limit = most > 200 ? most : Math.min(Number(searchParams.get('limit')), most);
      response.end(JSON.stringify(all.slice(offset, offset + limit).map((uid) => found(uid))));
    });
    const held = await clientOf(url).queryInstances('1.2', all, never);
    expect([...held.keys()].sort()).toEqual([...all].sort());
    expect(offsets).toEqual(asked);
  },
);

it('ends with an archive that ignores the offset and leaves out what belongs to another study', async () => {
  let asked = 0;
  const { url } = await pacs((_request, response) => {
    asked += 1;
    response.end(JSON.stringify([found('a'), found('b', '1.3')]));
  });
  const held = await clientOf(url).queryInstances('1.2', ['b'], never);
  expect([...held.keys()]).toEqual(['a']);
  expect(asked).toBe(2);
});

it.each([
  [204, '', 0],
  [200, '[]', 0],
  [404, 'not found', 0],
])('takes %i with %j for a study that is not there', async (status, body, size) => {
  const { url } = await pacs((_request, response) => response.writeHead(status).end(body));
  expect((await clientOf(url).queryInstances('1.2', ['a'], never)).size).toBe(size);
});

it.each([
  [503, 'busy'],
  [401, 'denied'],
  [400, 'misconfigured'],
])('does not take a query answered with %i for an empty one', async (status, kind) => {
  const { url } = await pacs((_request, response) =>
    response.writeHead(status, { 'Retry-After': '4' }).end('x'),
  );
  const error = await failure(clientOf(url).queryInstances('1.2', ['a'], never));
  expect(error).toMatchObject({ kind, status, retryAfterSeconds: 4 });
});

it('does not take a web page for an empty answer', async () => {
  const { url } = await pacs((_request, response) => response.end('<html>Sign in</html>'));
  expect(await failure(clientOf(url).queryInstances('1.2', [], never))).toMatchObject({
    kind: 'misconfigured',
  });
});

async function sha256(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest();
}

it('hands out a retrieved instance as it streams', async () => {
  const object = Buffer.alloc(3_000_000, 'dicom');
  const { url } = await pacs((request, response) => {
    expect(request.headers.accept).toBe('multipart/related; type="application/dicom"; transfer-syntax=*');
    expect(request.url).toBe('/dicom-web/studies/1.2/series/1.3/instances/1.4');
    response.setHeader('Content-Type', 'multipart/related; type="application/dicom"; boundary=b');
    response.write('--b\r\nContent-Type: application/dicom\r\n\r\n');
    response.write(object);
    response.end('\r\n--b--');
  });
  const digest = await clientOf(url).retrieveInstance('1.2', '1.3', '1.4', sha256, never);
  expect(digest).toEqual(createHash('sha256').update(object).digest());
});

it('asks for a single part where the PACS has no multipart, and for that at once from then on', async () => {
  const asked: Array<string | undefined> = [];
  const { url } = await pacs((request, response) => {
    const { accept } = request.headers;
    asked.push(accept);
    if (accept !== 'application/dicom; transfer-syntax=*') return response.writeHead(406).end();
    return response.setHeader('Content-Type', 'application/dicom').end('whole');
  });
  const client = clientOf(url);
  for (const uid of ['1.4', '1.5']) {
    const digest = await client.retrieveInstance('1.2', '1.3', uid, sha256, never);
    expect(digest).toEqual(createHash('sha256').update('whole').digest());
  }
  const [multipart, ...single] = asked;
  expect(multipart).toMatch(/^multipart/);
  expect(single).toEqual(Array(2).fill('application/dicom; transfer-syntax=*'));
});

it.each([401, 403, 406])('tells a refusal of whoever asks from one of the instance (%i)', async (status) => {
  const { url } = await pacs((_, response) => response.writeHead(status).end());
  const retrieval = clientOf(url).retrieveInstance('1.2', '1.3', '1.4', sha256, never);
  await expect(retrieval).rejects.toMatchObject({
    name: 'NotHandedOut',
    refusal: { kind: status === 406 ? 'misconfigured' : 'denied', status },
  });
});

it.each([424, 425, 429, 503])(
  'takes %i for a PACS that is busy, not for an instance it has lost',
  async (status) => {
    const { url } = await pacs((_, response) => response.writeHead(status).end());
    const retrieval = clientOf(url).retrieveInstance('1.2', '1.3', '1.4', sha256, never);
    expect(await failure(retrieval)).toMatchObject({ name: 'PacsUnavailable', kind: 'busy', status });
  },
);

it('says that an instance cannot be had, and that a broken transfer is no instance', async () => {
  const { url } = await pacs((request, response) => {
    const status = /404|410|500|501$/.exec(request.url ?? '')?.[0];
    if (status) return response.writeHead(Number(status)).end('{}');
    if (request.url?.endsWith('/1.6')) {
      response.setHeader('Content-Type', 'multipart/related; boundary=b');
      return response.end('--b\r\n\r\nonly the beginning');
    }
    response.setHeader('Content-Length', '100');
    response.write('half');
    return setImmediate(() => request.socket.destroy());
  });
  const client = clientOf(url);
  for (const uid of ['1.404', '1.410', '1.500', '1.501', '1.6']) {
    const retrieval = client.retrieveInstance('1.2', '1.3', uid, sha256, never);
    await expect(retrieval).rejects.toMatchObject({ name: 'NotHandedOut', refusal: undefined });
  }
  expect(await failure(client.retrieveInstance('1.2', '1.3', '1.7', sha256, never))).toMatchObject({
    kind: 'unreachable',
  });
});
