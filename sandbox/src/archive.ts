import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  ALL_INDEXED,
  attributesOfLevel,
  SERIES_INSTANCE_UID,
  SOP_INSTANCE_UID,
  STUDY_INSTANCE_UID,
  textOf,
} from './attributes.js';
import { type Header, readHeader } from './dicom-file.js';
import type { Attributes } from './dicom-json.js';

/** A stored instance. `file` is its path, `size` in bytes. */
export interface Instance {
  uid: string;
  file: string;
  size: number;
  transferSyntax: string;
  attributes: Attributes;
  /** Listed, and its bytes are gone. */
  isLost?: true;
}

export interface Series {
  uid: string;
  attributes: Attributes;
  instances: Map<string, Instance>;
}

export interface Study {
  uid: string;
  attributes: Attributes;
  series: Map<string, Series>;
}

/** What identifies an instance here: as in Orthanc, the same SOP Instance UID in another study is another instance. */
export interface InstanceUids {
  study: string;
  series: string;
  instance: string;
}

/** What is kept beside each file, so that a start reads no DICOM. */
interface Sidecar extends Header {
  size: number;
  /** Milliseconds since 1970, no two the same in one run: the order of arrival. */
  receivedAt: number;
}

/** A file on its way in, not yet part of the archive. */
export interface Spool {
  path: string;
  write(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
  /** Closes and removes the file; after {@link Archive.add} has taken it, does nothing. */
  discard(): Promise<void>;
}

/**
 * DICOM files in a folder, with an index in memory:
 * `instances/ab/<hash>.dcm` is the file as it came, `<hash>.json` its indexed attributes, `incoming/` what is arriving.
 * An instance is held from the moment its `.dcm` stands under its name; a missing or broken `.json` is made anew.
 */
export class Archive {
  /** By Study Instance UID, in order of arrival. */
  readonly studies = new Map<string, Study>();
  readonly #dir: string;
  /** Instances being put in place, so that two copies arriving at once do not race. */
  readonly #adding = new Map<string, Promise<void>>();
  #lastReceivedAt = 0;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Opens the archive in a folder, which is made when it is not there. Leftovers of broken transfers are removed. */
  static async open(dir: string): Promise<Archive> {
    const archive = new Archive(dir);
    await rm(join(dir, 'incoming'), { recursive: true, force: true });
    await mkdir(join(dir, 'incoming'), { recursive: true });
    await mkdir(join(dir, 'instances'), { recursive: true });
    await archive.#load();
    return archive;
  }

  async spool(): Promise<Spool> {
    const path = join(this.#dir, 'incoming', randomUUID());
    const file = await open(path, 'wx');
    let closed: Promise<void> | undefined;
    const close = () => {
      closed ??= file.close();
      return closed;
    };
    return {
      path,
      write: async (bytes) => void (await file.writeFile(bytes)),
      close,
      discard: async () => {
        await close();
        await rm(path, { force: true });
      },
    };
  }

  /**
   * Takes a closed spool file into the archive; once it resolves, the file is on disk. An instance that is already
   * held keeps its old content, as in Orthanc with OverwriteInstances off; the spool file is then left to be discarded.
   *
   * @returns whether the instance is new
   */
  async add(uids: InstanceUids, path: string, header: Header): Promise<boolean> {
    if (this.find(uids)) return false;
    const file = this.#fileOf(uids);
    const underWay = this.#adding.get(file);
    if (underWay) {
      await underWay;
      return false;
    }
    const adding = this.#place(file, path, header).finally(() => this.#adding.delete(file));
    this.#adding.set(file, adding);
    await adding;
    return true;
  }

  /** Puts a closed spool file in the place of what is held under these UIDs. */
  async replace(uids: InstanceUids, path: string, header: Header): Promise<void> {
    const file = this.#fileOf(uids);
    await this.#adding.get(file);
    await this.#place(file, path, header);
  }

  /** Takes away the bytes of an instance and goes on listing it. */
  async lose(uids: InstanceUids): Promise<void> {
    const instance = this.find(uids);
    if (!instance) return;
    instance.isLost = true;
    await rm(instance.file, { force: true });
  }

  find({ study, series, instance }: InstanceUids): Instance | undefined {
    return this.studies.get(study)?.series.get(series)?.instances.get(instance);
  }

  async #place(file: string, path: string, header: Header): Promise<void> {
    this.#lastReceivedAt = Math.max(Date.now(), this.#lastReceivedAt + 1);
    const sidecar = { ...header, size: (await stat(path)).size, receivedAt: this.#lastReceivedAt };
    const madeFolder = await mkdir(dirname(file), { recursive: true });
    await Promise.all([writeFile(sidecarOf(file), JSON.stringify(sidecar)), sync(path, 'r+')]);
    await rename(path, file);
    // A rename is durable once its folder is (fsync(2)). Windows cannot sync folders, nor needs to.
    if (process.platform !== 'win32') {
      await sync(dirname(file), 'r');
      if (madeFolder) await sync(dirname(dirname(file)), 'r');
    }
    this.#index(file, sidecar);
  }

  #fileOf({ study, series, instance }: InstanceUids): string {
    // Hashed, because a UID from outside may hold anything, such as a path.
    const name = createHash('sha256').update(`${study}\n${series}\n${instance}`).digest('hex');
    return join(this.#dir, 'instances', name.slice(0, 2), `${name}.dcm`);
  }

  #index(file: string, { attributes, size, transferSyntax }: Sidecar): void {
    const [study, series, uid] = [STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID].map(
      (each) => textOf(attributes, each) ?? '',
    ) as [string, string, string];
    const inStudy = getOrAdd(this.studies, study, () => ({
      uid: study,
      attributes: attributesOfLevel(attributes, 'study'),
      series: new Map<string, Series>(),
    }));
    const inSeries = getOrAdd(inStudy.series, series, () => ({
      uid: series,
      attributes: attributesOfLevel(attributes, 'series'),
      instances: new Map<string, Instance>(),
    }));
    const own = attributesOfLevel(attributes, 'instance');
    inSeries.instances.set(uid, { uid, file, size, transferSyntax, attributes: own });
  }

  async #load(): Promise<void> {
    const found: { file: string; sidecar: Sidecar }[] = [];
    for (const folder of await readdir(join(this.#dir, 'instances'))) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      const path = join(this.#dir, 'instances', folder);
      const names = new Set(await readdir(path));
      for (const name of names) {
        const file = join(path, name);
        if (name.endsWith('.dcm')) {
          const sidecar = await readSidecar(file);
          if (sidecar) found.push({ file, sidecar });
        } else if (!names.has(name.replace(/json$/, 'dcm'))) await rm(file);
      }
    }
    found.sort((a, b) => a.sidecar.receivedAt - b.sidecar.receivedAt);
    for (const { file, sidecar } of found) this.#index(file, sidecar);
  }
}

function sidecarOf(file: string): string {
  return file.replace(/dcm$/, 'json');
}

/** Undefined when neither the sidecar nor the file itself can be read: such a file is left where it is, unlisted. */
async function readSidecar(file: string): Promise<Sidecar | undefined> {
  try {
    return JSON.parse(await readFile(sidecarOf(file), 'utf8')) as Sidecar;
  } catch {
    const { size, mtimeMs } = await stat(file);
    const header = await readHeader(file, ALL_INDEXED).catch(() => undefined);
    if (!header) return undefined;
    const sidecar = { ...header, size, receivedAt: mtimeMs };
    await writeFile(sidecarOf(file), JSON.stringify(sidecar));
    return sidecar;
  }
}

/** Brings a file or folder to disk. */
async function sync(path: string, flags: 'r' | 'r+'): Promise<void> {
  const opened = await open(path, flags);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

function getOrAdd<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (!value) {
    value = make();
    map.set(key, value);
  }
  return value;
}
