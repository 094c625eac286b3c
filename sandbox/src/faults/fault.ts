/** What can be asked of the archive. `token` is its token endpoint, which with OIDC is another server. */
export const REQUEST_KINDS = ['stow', 'qido', 'wado', 'token'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

/** Kind → the requests it can befall; the others would have nothing to do. */
const KINDS = {
  refuse: REQUEST_KINDS,
  slow: REQUEST_KINDS,
  hang: REQUEST_KINDS,
  dropMidBody: ['stow', 'qido', 'wado'],
  status: REQUEST_KINDS,
  partialFailure: ['stow'],
  inventedUids: ['stow'],
  storedButAnswerLost: ['stow'],
  storesButHides: ['stow'],
  forgets: ['stow'],
  losesDuplicates: ['stow'],
} as const satisfies Record<string, readonly RequestKind[]>;
export type FaultKind = keyof typeof KINDS;

/** A fault as it is switched on by `PUT /faults`. */
export interface Fault {
  kind: FaultKind;
  /** The requests it befalls; `any` is all of DICOMweb, not the token endpoint. */
  on: RequestKind | 'any';
  /** After so many requests it is over; without it lasts until it is switched off. */
  times?: number;
  /** Probability with which it befalls a request, 0 to 1; without it always does. */
  chance?: number;
  /** Start of the random numbers `chance` uses: the same seed, the same requests. */
  seed?: number;
  /** `dropMidBody`, `hang`, `storedButAnswerLost`: so many bytes of the body pass first. */
  afterBytes?: number;
  /** `slow`: the answer is held back so long, once all is done. */
  delayMs?: number;
  /** `slow`: the most that is read of a request's body and sent of an answer's. */
  bytesPerSecond?: number;
  /** `status`: 400 to 599. */
  status?: number;
  /** `status`: value of Retry-After; 429 has one of 1 in any case. */
  retryAfterSeconds?: number;
  /** `status`: answered before the body is read, and the body is never read. */
  early?: boolean;
  /** The instances that a fault of instances befalls. */
  sopInstanceUids?: string[];
  /** Instead: every nth instance that arrives, counted over all requests. */
  every?: number;
  /** `partialFailure`, `inventedUids`: Failure Reason (0008,1197). */
  reason?: number;
  /** `storesButHides`: how long searches do not show the instance. */
  seconds?: number;
}

/** Whether the fault is one for requests of this kind. */
export function befalls({ kind, on }: Fault, request: RequestKind): boolean {
  const possible: readonly RequestKind[] = KINDS[kind];
  return possible.includes(request) && (on === 'any' ? request !== 'token' : on === request);
}

/** What was put is no list of faults; the message says what is wrong with it. */
export class FaultFormatError extends Error {}

type Check = [rule: string, holds: (value: unknown) => boolean];
const number = (least: number, most: number, rule: string): Check => [
  rule,
  (value) => typeof value === 'number' && value >= least && value <= most,
];
const whole = (least: number, most: number): Check => [
  `a whole number from ${least} to ${most}`,
  (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
];
const MAX = Number.MAX_SAFE_INTEGER;
/** The longest a Node.js timer runs. */
const MAX_MS = 2 ** 31 - 1;

const FIELDS: Record<Exclude<keyof Fault, 'kind' | 'on'>, Check> = {
  times: whole(1, MAX),
  chance: number(0, 1, 'a number from 0 to 1'),
  seed: whole(0, 2 ** 32 - 1),
  afterBytes: whole(0, MAX),
  delayMs: number(0, MAX_MS, `a number of milliseconds up to ${MAX_MS}`),
  bytesPerSecond: whole(1, MAX),
  status: whole(400, 599),
  retryAfterSeconds: whole(0, MAX),
  early: ['true or false', (value) => typeof value === 'boolean'],
  sopInstanceUids: [
    'a list of SOP Instance UIDs',
    (value) => Array.isArray(value) && value.every((uid) => typeof uid === 'string'),
  ],
  every: whole(1, MAX),
  reason: whole(0, 0xffff),
  seconds: number(0, MAX_MS / 1000, 'a number of seconds'),
};

/** Reads the body of `PUT /faults`. Throws {@link FaultFormatError}. */
export function parseFaults(json: string): Fault[] {
  let body: unknown;
  try {
    body = JSON.parse(json);
  } catch {
    throw new FaultFormatError('The body must be JSON.');
  }
  const { faults } = (body ?? {}) as { faults?: unknown };
  if (!Array.isArray(faults)) throw new FaultFormatError('The body must be {"faults": [...]}.');
  return faults.map((fault, at) => checked(fault, `faults[${at}]`));
}

function checked(value: unknown, name: string): Fault {
  if (value === null || typeof value !== 'object') throw new FaultFormatError(`${name} must be an object.`);
  const fault = { on: 'any', ...value } as Record<string, unknown>;
  const { kind, on } = fault;
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) {
    throw new FaultFormatError(`${name}.kind must be one of ${Object.keys(KINDS).join(', ')}.`);
  }
  const possible: readonly string[] = KINDS[kind as FaultKind];
  if (on !== 'any' && !possible.includes(String(on))) {
    throw new FaultFormatError(`${name}.on must be any or, for ${kind}, one of ${possible.join(', ')}.`);
  }
  for (const [field, given] of Object.entries(fault)) {
    if (field === 'kind' || field === 'on') continue;
    if (!Object.hasOwn(FIELDS, field)) throw new FaultFormatError(`${name}.${field} is unknown.`);
    const [rule, holds] = FIELDS[field as keyof typeof FIELDS];
    if (!holds(given)) throw new FaultFormatError(`${name}.${field} must be ${rule}.`);
  }
  const needs = missing(fault as unknown as Fault);
  if (needs) throw new FaultFormatError(`${name}, ${kind}, needs ${needs}.`);
  return fault as unknown as Fault;
}

function missing({ kind, status, delayMs, bytesPerSecond, seconds }: Fault): string | undefined {
  if (kind === 'status' && status === undefined) return 'status';
  if (kind === 'slow' && delayMs === undefined && bytesPerSecond === undefined)
    return 'delayMs or bytesPerSecond';
  if (kind === 'storesButHides' && seconds === undefined) return 'seconds';
  return undefined;
}
