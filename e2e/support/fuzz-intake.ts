/**
 * Examines mutated files as intake does, and prints what came of them as JSON. A process of its own, so that its
 * memory and its end can be judged.
 *
 * `node --conditions=source --import tsx e2e/support/fuzz-intake.ts SEED FROM TO`; an input depends on the seed and its
 * number alone: `SEED 4711 4712` repeats one.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import { ObjectMissing, type StoredObject } from '@relaypacs/core/storage/object-storage.js';
import type { FileOpener, UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import { InstanceReader } from '../../worker/src/delivery/instance-reader.js';
import { examineFile, type FileExaminationDeps } from '../../worker/src/intake/examine-file.js';
import { type CheckedFile, type Examined, subjectsOf } from '../../worker/src/intake/examined.js';
import { groupStudies, toRows } from '../../worker/src/intake/group-studies.js';
import { receivedRow } from '../../worker/src/intake/testing/received-files.js';
import { IsolatedTasks } from '../../worker/src/isolation/isolated-tasks.js';
import type { IsolatedTaskName } from '../../worker/src/isolation/task-process.js';
import { makeIntakeInput } from './fuzz-intake-inputs.js';

/** What the process prints. */
export interface IntakeFuzzResult {
  inputs: number;
  /** What was wrong with the outcome of an input, by its number; at most ten. */
  faults: string[];
  /** `status kind` of uploaded files, and of files in archives with `in archive` before it. */
  verdicts: Record<string, number>;
  /** How often each reason, and each remark, was given. */
  codes: Record<string, number>;
  /** Objects whose bytes were composed as delivery does, by how they lie: plain, repaired, in an archive. */
  composed: Record<string, number>;
  slowestMs: number;
  slowestInput: number;
  peakRssMb: number;
}

const CHUNK_BYTES = 700;
const MOST_FAULTS = 10;

/** One file that is there, in memory. */
class OneFile implements UploadedFiles {
  id = '';
  bytes: Uint8Array = new Uint8Array(0);

  async locate(): Promise<FileOpener> {
    return this;
  }

  async open(fileId: string): Promise<StoredObject> {
    if (fileId !== this.id) throw new ObjectMissing(fileId);
    const { bytes } = this;
    return {
      size: bytes.length,
      read: async (offset, length) => bytes.slice(offset, offset + length),
      stream: (offset, length) => Readable.from(inChunks(bytes.subarray(offset, offset + length))),
      close: async () => {},
    };
  }
}

function* inChunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.slice(at, at + CHUNK_BYTES);
}

/** One thread for all tasks: its start compiles sources here, which is not what is measured. */
class TasksInTurn extends IsolatedTasks {
  private last: Promise<unknown> = Promise.resolve();

  override run<Input, Output>(task: IsolatedTaskName, input: Input): Promise<Output> {
    const turn = this.last.then(() => super.run<Input, Output>(task, input));
    this.last = turn.catch(() => {});
    return turn;
  }
}

/** What PostgreSQL cannot hold in a text or in JSON: NUL, and half of a surrogate pair. */
const UNWRITABLE = /\\u0000|\\ud[89a-f][0-9a-f]{2}/i;

function faultOf(
  name: string,
  { kind, status, problem, findings, object, image }: Examined,
): string | undefined {
  const told = JSON.stringify([problem ?? null, findings]);
  if (UNWRITABLE.test(told)) return `${name}: what is said of it cannot be written down: ${told}`;
  if (status === 'accepted') {
    if (problem) return `${name}: accepted with a problem`;
    const goesOn = object ?? image ?? (kind === 'archive' ? {} : undefined);
    return goesOn ? undefined : `${name}: accepted, and nothing goes on`;
  }
  if (object || image) return `${name}: ${status}, and something goes on`;
  return problem && /^[A-Z_]+$/.test(problem.code) && /\.$/.test(problem.detail)
    ? undefined
    : `${name}: ${status} without a reason in words`;
}

/** Sorts what was accepted into studies and reads a sample of the objects as delivery does. */
async function compose(
  files: OneFile,
  checked: CheckedFile,
  count: (way: string) => void,
  isSampled: (isRepaired: boolean) => boolean,
): Promise<string | undefined> {
  const subjects = subjectsOf([checked]);
  // As it is for the announced patient's studies.
  for (const { examined } of subjects) Object.assign(examined.object ?? {}, examined.object?.withPatientId);
  const { studies } = groupStudies(subjects, { instances: [], patients: [] });
  const rows = studies.map((study) => toRows('upload', study));
  const written = JSON.stringify(rows);
  if (UNWRITABLE.test(written)) return `rows that cannot be written: ${written}`;
  const reader = new InstanceReader(files);
  try {
    for (const instance of rows.flatMap(({ instances }) => instances)) {
      if (!isSampled(instance.pieces !== null)) continue;
      const { steps = null, pieces = null } = JSON.parse(JSON.stringify(instance));
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of reader.read({ ...instance, steps, pieces } as never)) {
        hash.update(chunk);
        size += chunk.length;
      }
      const way = `${pieces ? 'repaired' : 'as it came'}${steps ? `, ${steps.length} deep` : ''}`;
      if (size !== instance.size || !hash.digest().equals(instance.sha256)) return `composed wrongly: ${way}`;
      count(way);
    }
  } finally {
    await reader.close();
  }
  return undefined;
}

const increase = (counts: Record<string, number>, key: string) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

async function run(seed: number, from: number, to: number): Promise<IntakeFuzzResult> {
  const files = new OneFile();
  const tasks = new TasksInTurn();
  const deps: FileExaminationDeps = {
    files,
    tasks,
    uploadId: 'upload',
    studyInstanceUid: undefined,
    patientId: undefined,
    limits: DEFAULT_ARCHIVE_LIMITS,
    spent: { entries: 0, bytes: 0, dicomdirs: 0 },
    signal: new AbortController().signal,
  };
  const result: IntakeFuzzResult = {
    inputs: 0,
    faults: [],
    verdicts: {},
    codes: {},
    composed: {},
    slowestMs: 0,
    slowestInput: from,
    peakRssMb: 0,
  };
  // Starts the thread.
  await tasks.run('dicomdir', new Uint8Array(200)).catch(() => {});
  let accepted = 0;
  const isSampled = (isRepaired: boolean) => {
    accepted += 1;
    // All of them when a single input is looked at.
    return to - from === 1 || accepted % (isRepaired ? 5 : 50) === 0;
  };
  for (let input = from; input < to && result.faults.length < MOST_FAULTS; input += 1) {
    files.id = `file${input}`;
    files.bytes = makeIntakeInput(seed, input);
    deps.patientId = input % 2 === 0 ? 'FUZZ-1' : undefined;
    const fault = (what: string) => result.faults.push(`input ${input}: ${what}`);
    const startedAt = performance.now();
    try {
      const checked = await examineFile(deps, receivedRow(files.id, files.bytes.length));
      const ms = performance.now() - startedAt;
      if (ms > result.slowestMs) Object.assign(result, { slowestMs: ms, slowestInput: input });
      for (const each of [checked, ...checked.entries]) {
        const where = each === checked ? '' : 'in archive ';
        increase(result.verdicts, `${where}${each.status} ${each.kind}`);
        const codes = [each.problem?.code, ...each.findings.map(({ code }) => code)];
        for (const code of new Set(codes)) if (code !== undefined) increase(result.codes, code);
        const wrong = faultOf(each === checked ? 'file' : 'entry', each);
        if (wrong !== undefined) fault(wrong);
      }
      const wrong = await compose(files, checked, (way) => increase(result.composed, way), isSampled);
      if (wrong !== undefined) fault(wrong);
    } catch (error) {
      fault(error instanceof Error ? `${error.stack}` : String(error));
    }
    result.inputs += 1;
  }
  await tasks.close();
  // Kilobytes on every system (libuv).
  result.peakRssMb = Math.round(process.resourceUsage().maxRSS / 1024);
  return result;
}

const [seed = 1, from = 0, to = 1000] = process.argv.slice(2).map(Number);
const result = await run(seed, from, to);
process.stdout.write(`${JSON.stringify(result)}\n`);
