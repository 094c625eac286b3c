import { createHash } from 'node:crypto';

/** A small seeded generator (mulberry32): the same seed makes the same requests. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** 0 ≤ value < 1 */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i += 1) bytes[i] = this.below(256);
    return bytes;
  }
}

export interface FuzzFile {
  /** Path of its URL. */
  path: string;
  token: string;
  offset: number;
  size: number;
}

/** What the requests are made from; changes with the answers. */
export interface FuzzWorld {
  files: FuzzFile[];
  uploads: ReadonlyArray<{ id: string; token: string }>;
  /** Tokens nobody should get anywhere with. */
  badTokens: readonly string[];
}

export interface FuzzRequest {
  method: string;
  path: string;
  /** Values as latin1; a name may stand more than once. */
  headers: Array<[string, string]>;
  body: Buffer;
  /** Sent with chunked transfer coding instead of Content-Length. */
  chunked: boolean;
  /** What makes its end unclear: the connection is of no use afterwards. */
  broken?: 'shorter' | 'garbage' | 'framing';
  file?: FuzzFile;
  token: string;
}

const NUMBERS = [
  ...['', '-1', '+1', '0', '00', '-0', '1e3', '0x10', 'NaN', 'Infinity', '1.5', '5,5', '5 5', 'null', '\xb2'],
  ...[
    '2147483648',
    '9007199254740991',
    '9007199254740993',
    '9223372036854775808',
    '9'.repeat(40),
    '1',
    '1000',
  ],
];
const NAMES = [
  ...[
    '../../../etc/passwd',
    'C:\\windows\\x',
    '/abs',
    'a\0b',
    'x'.repeat(600),
    '\u202egnp.exe',
    'ä'.repeat(300),
  ],
  ...[
    '',
    ' ',
    '.',
    '..',
    'CON',
    "'; DROP TABLE uploads; --",
    '{{7*7}}',
    '%00',
    'a\nb',
    '\ud800',
    '<b>',
    '"',
    '{"a":1}',
  ],
];
const PATHS = [
  ...[
    '/files/',
    '/files/..',
    '/files/%00',
    '/files/..%2f..%2fetc%2fpasswd',
    '/files//',
    '/files/x/y',
    '/files/%',
    '/',
  ],
  ...[
    '/files/%ff%fe',
    '/files/00000000-0000-0000-0000-000000000000',
    '/files/-1',
    '//files',
    '/files/%2e%2e/',
  ],
  ...[
    '/files?x=1',
    '/files/?',
    '/FILES',
    '/files/;',
    `/files/${'a'.repeat(3000)}`,
    '*',
    'http://127.0.0.1/files',
  ],
];
const ALGORITHMS = [
  'md5',
  'sha1',
  'sha256',
  'SHA256',
  'crc32',
  'sha512',
  '',
  '__proto__',
  'constructor',
  'sha-256',
];
const OVERRIDES = [
  'PATCH',
  'HEAD',
  'DELETE',
  'GET',
  'POST',
  'OPTIONS',
  'TRACE',
  'patch',
  '',
  'PATCH, HEAD',
  'x'.repeat(200),
];

const base64 = (text: string) => Buffer.from(text).toString('base64');

function metadata(random: Random, world: FuzzWorld): string {
  const value = random.pick<() => string>([
    () => base64(random.pick(NAMES)),
    () => random.pick(['!!!', '====', 'a', 'YQ', 'YQ=', 'YQ==YQ==', '\xff\xfe', ' ', '-_-_']),
    () => random.bytes(random.below(40)).toString('base64'),
    () => base64(random.pick(world.uploads).id),
    () => base64('x'.repeat(random.below(9000))),
  ]);
  const keys = [
    'filename',
    'filetype',
    'relativePath',
    'uploadId',
    'clientId',
    'patientName',
    'studyDate',
    'modality',
  ];
  const odd = ['serviceLevel', '__proto__', 'constructor', '', 'a b', 'ä', 'x'.repeat(300), 'filename'];
  const pairs = Array.from({ length: random.below(5) }, () => `${random.pick([...keys, ...odd])} ${value()}`);
  return random.pick([
    pairs.join(','),
    pairs.join(', '),
    pairs.join(',,'),
    `${pairs.join(',')},`,
    'filename',
    ',',
    ' ',
  ]);
}

function checksum(random: Random, body: Buffer): string {
  const algorithm = random.pick(ALGORITHMS);
  const right = (name: string) => createHash(name).update(body).digest('base64');
  return random.pick([
    `sha256 ${right('sha256')}`,
    `sha1 ${right('sha1')}`,
    `md5 ${right('md5')}`,
    `${algorithm} ${random.bytes(random.pick([0, 1, 16, 20, 32, 64])).toString('base64')}`,
    `${algorithm} ${random.bytes(32).toString('hex')}`,
    `${algorithm}  ${right('sha256')}`,
    `${algorithm}`,
    `sha256 ${right('sha256')}, md5 ${right('md5')}`,
    `sha256 ${'A'.repeat(5000)}`,
    'sha256 \xe4\xf6',
  ]);
}

function concat(random: Random, world: FuzzWorld): string {
  const known = () => (world.files.length > 0 ? random.pick(world.files).path : '/files/none');
  const paths = Array.from({ length: random.below(6) }, known);
  return random.pick([
    ...[
      'partial',
      'final',
      'final;',
      'final; ',
      'PARTIAL',
      'partial;',
      'finally;/files/x',
      '',
      'final;;;',
      'final;%',
    ],
    `final;${paths.join(' ')}`,
    `final;${paths.map((path) => `http://127.0.0.1:1${path}`).join(' ')}`,
    `final;${[...paths, ...paths].join(' ')}`,
    `final;${Array.from({ length: 200 }, () => '/files/a').join(' ')}`,
    `final;${random.pick(PATHS).slice(0, 200)} http://169.254.169.254/latest file:///etc/passwd`,
  ]);
}

const METHODS =
  'POST POST POST POST PATCH PATCH PATCH PATCH PATCH PATCH HEAD HEAD OPTIONS DELETE GET PUT'.split(' ');

type Mutation = (request: FuzzRequest, random: Random, world: FuzzWorld) => void;

function set(request: FuzzRequest, name: string, value: string): void {
  request.headers = request.headers.filter(([other]) => other !== name);
  request.headers.push([name, value]);
}

const MUTATIONS: readonly Mutation[] = [
  (request, random) => set(request, 'upload-length', random.pick(NUMBERS)),
  (request, random) => set(request, 'upload-offset', random.pick(NUMBERS)),
  (request, random) =>
    set(request, 'upload-defer-length', random.pick(['1', '0', '2', '', 'true', ...NUMBERS])),
  (request, random) => {
    const types = [
      '',
      'text/plain',
      'application/offset+octet-stream; a=b',
      'application/json',
      '\xff',
      'a'.repeat(999),
    ];
    set(request, 'content-type', random.pick(types));
  },
  (request, random, world) => set(request, 'upload-metadata', metadata(random, world)),
  (request, random, world) => set(request, 'upload-metadata', metadata(random, world)),
  (request, random) => set(request, 'upload-checksum', checksum(random, request.body)),
  (request, random) => set(request, 'upload-checksum', checksum(random, request.body)),
  (request, random, world) => set(request, 'upload-concat', concat(random, world)),
  (request, random, world) => set(request, 'upload-concat', concat(random, world)),
  (request, random) => set(request, 'x-http-method-override', random.pick(OVERRIDES)),
  (request, random, world) => set(request, 'authorization', `Bearer ${random.pick(world.badTokens)}`),
  (request, random, world) => set(request, 'authorization', `Bearer ${random.pick(world.uploads).token}`),
  (request, random) =>
    set(request, 'authorization', random.pick(['', 'Basic YTpi', 'Bearer', 'Bearer  ', 'bearer \xff'])),
  (request, random) => {
    request.path = random.pick([
      ...PATHS,
      `${request.path}/`,
      `${request.path}?/files/x`,
      `${request.path}%20`,
    ]);
  },
  (request, random) =>
    set(request, 'tus-resumable', random.pick(['', '0.2.2', '1.0.1', '1.0.0, 1.0.0', '1', 'x'.repeat(99)])),
  (request, random) => void request.headers.splice(random.below(request.headers.length), 1),
  (request, random) => void request.headers.push(random.pick(request.headers)),
  (request, random) => void request.headers.push([random.pick(request.headers)[0], random.pick(NUMBERS)]),
  (request, random) => {
    const odd = [
      'x-request-id',
      'cookie',
      'range',
      'if-match',
      'content-encoding',
      'origin',
      'x-forwarded-for',
      'expect',
    ];
    request.headers.push([
      random.pick(odd),
      random.pick(['gzip', 'x'.repeat(500), '\xff\xfe', '0-', '*', ',,,', '']),
    ]);
  },
  (request, random) => void request.headers.push(['x-long', 'x'.repeat(random.pick([1000, 12_000, 40_000]))]),
  (request, random) => {
    request.body = random.bytes(random.pick([0, 1, 3000, 70_000]));
  },
  (request) => {
    request.chunked = true;
  },
  (request, random) => {
    request.broken = random.pick(['shorter', 'garbage', 'framing']);
  },
];

/** A request that is right but for a few mutations; about a fifth have none. */
export function makeRequest(random: Random, world: FuzzWorld): FuzzRequest {
  const request = baseRequest(random, world);
  const mutations = random.chance(0.2) ? 0 : 1 + random.below(3);
  for (let i = 0; i < mutations; i += 1) random.pick(MUTATIONS)(request, random, world);
  return request;
}

function baseRequest(random: Random, world: FuzzWorld): FuzzRequest {
  const upload = random.pick(world.uploads);
  const body = random.bytes(random.pick([0, 1, 100, 4000]));
  const common = (token: string): Array<[string, string]> => [
    ['authorization', `Bearer ${token}`],
    ['tus-resumable', '1.0.0'],
  ];
  const method = random.pick(METHODS);
  const file = world.files.length > 0 ? random.pick(world.files) : undefined;
  const bytes: Array<[string, string]> = [['content-type', 'application/offset+octet-stream']];
  if (method === 'POST' || file === undefined) {
    const length = String(body.length + random.pick([0, 1, 10_000]));
    const headers = [...common(upload.token), ...bytes];
    headers.push(['upload-length', length], ['upload-metadata', `filename ${base64(random.pick(NAMES))}`]);
    return { method: 'POST', path: '/files', headers, body, chunked: false, token: upload.token };
  }
  const headers = common(file.token);
  const target = { method, path: file.path, headers, chunked: false, file, token: file.token };
  if (method !== 'PATCH') return { ...target, body: Buffer.alloc(0) };
  headers.push(...bytes, ['upload-offset', String(file.offset)]);
  return {
    ...target,
    body: random.chance(0.9) ? body.subarray(0, Math.max(0, file.size - file.offset)) : body,
  };
}
