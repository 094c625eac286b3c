import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FuzzRequest, Random } from './fuzz-requests.js';

const ANSWER_WITHIN_MS = 20_000;
/** How long an answer is waited for when the request never ends. */
const PATIENCE_MS = 30;

export interface FuzzAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** The bytes of a request on the wire; latin1, nothing is checked. */
export function serialize(request: FuzzRequest, random: Random): Buffer {
  const lines = request.headers.map(([name, value]) => `${name}: ${value}`);
  lines.push('host: 127.0.0.1');
  const { body, broken } = request;
  if (broken === 'framing') {
    const wrong = [
      'content-length: -5',
      'content-length: 5\r\ncontent-length: 6',
      'transfer-encoding: x',
      'no colon',
    ];
    const smuggled = [
      ...wrong,
      'content-length: 3\r\ntransfer-encoding: chunked',
      ' folded: 1',
      'a\0b: 1',
      ': empty',
    ];
    lines.push(random.pick(smuggled));
  } else if (request.chunked) lines.push('transfer-encoding: chunked');
  else lines.push(`content-length: ${body.length + (broken === 'shorter' ? 1 + random.below(5000) : 0)}`);
  const head = Buffer.from(
    `${request.method} ${request.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`,
    'latin1',
  );
  const sent = request.chunked && broken !== 'framing' ? chunk(body, random) : body;
  return Buffer.concat([head, sent, ...(broken === 'garbage' ? [garbage(random)] : [])]);
}

function chunk(body: Buffer, random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const part = body.subarray(at, at + 1 + random.below(20_000));
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
    at += part.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

function garbage(random: Random): Buffer {
  const lines = [
    '\r\n\r\n\r\n',
    'GET\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'POST /files HTTP/9.9\r\n\r\n',
    '\x16\x03\x01',
  ];
  return Buffer.concat([Buffer.from(random.pick(lines), 'latin1'), random.bytes(random.below(300))]);
}

/** One keep-alive connection that says what it likes and reads what comes back. */
export class FuzzConnection {
  private readonly port: number;
  private socket: net.Socket | undefined;
  private received = Buffer.alloc(0);
  private wake: () => void = () => {};

  constructor(port: number) {
    this.port = port;
  }

  /**
   * @returns the answer; undefined when none came, which only a request without a clear end may meet
   */
  async send(bytes: Buffer, request: FuzzRequest): Promise<FuzzAnswer | undefined> {
    const socket = await this.connected();
    socket.write(bytes);
    const isHead = request.method === 'HEAD';
    const deadline = performance.now() + (request.broken ? PATIENCE_MS : ANSWER_WITHIN_MS);
    let answer = this.take(isHead);
    while (!answer && !socket.closed && performance.now() < deadline) {
      await this.change(deadline - performance.now());
      answer = this.take(isHead);
    }
    if (!answer || request.broken || answer.headers.get('connection') === 'close') await this.close();
    return answer;
  }

  async close(): Promise<void> {
    const { socket } = this;
    this.socket = undefined;
    if (!socket || socket.closed) return;
    socket.destroy();
    await once(socket, 'close');
  }

  /** Resolves when something came, the connection ended or the time is over. */
  private change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async connected(): Promise<net.Socket> {
    if (this.socket && !this.socket.destroyed && this.socket.writable) return this.socket;
    const socket = net.connect(this.port, '127.0.0.1');
    socket.on('error', () => {});
    this.received = Buffer.alloc(0);
    socket.on('data', (data) => {
      this.received = Buffer.concat([this.received, data]);
      this.wake();
    });
    socket.on('close', () => this.wake());
    await Promise.race([once(socket, 'connect'), sleep(5000)]);
    this.socket = socket;
    return socket;
  }

  /** Cuts one whole answer off what has come. */
  private take(isHead: boolean): FuzzAnswer | undefined {
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [first = '', ...lines] = this.received.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
    const headers = new Map(lines.map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
    const known = new Map([...headers].map(([name, value]) => [name.toLowerCase(), value]));
    if (status === 100) {
      this.received = this.received.subarray(end + 4);
      return this.take(isHead);
    }
    const chunked = known.get('transfer-encoding') === 'chunked';
    const length =
      isHead || status === 204
        ? 0
        : chunked
          ? this.chunkedLength(end + 4)
          : Number(known.get('content-length') ?? 0);
    if (length === undefined || this.received.length < end + 4 + length) return undefined;
    const body = this.received.subarray(end + 4, end + 4 + length).toString('utf8');
    this.received = this.received.subarray(end + 4 + length);
    return { status, headers: known, body };
  }

  private chunkedLength(from: number): number | undefined {
    const end = this.received.indexOf('0\r\n\r\n', from);
    return end < 0 ? undefined : end + 5 - from;
  }
}
