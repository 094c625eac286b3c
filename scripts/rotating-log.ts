import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

/**
 * A log file that never outgrows its bound: a full file is renamed `name.1`, the one before `name.2`, and so on; the
 * oldest is removed.
 *
 * Writing is synchronous, so that the last words of a process that dies are in the file.
 */
export class RotatingLog {
  private readonly file: string;
  private readonly maxBytes: number;
  private readonly oldFiles: number;
  private fd: number;
  private size: number;

  /**
   * @param file - absolute path; appended to when it exists, made for its owner alone when not
   * @param maxBytes - size at which a new file is begun; one line may exceed it
   * @param oldFiles - how many full files are kept beside the current one
   */
  constructor(file: string, maxBytes = 10 * 1024 * 1024, oldFiles = 3) {
    this.file = file;
    this.maxBytes = maxBytes;
    this.oldFiles = oldFiles;
    this.fd = openSync(file, 'a', 0o600);
    this.size = fstatSync(this.fd).size;
  }

  writeLine(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    if (this.size > 0 && this.size + bytes.length > this.maxBytes) this.rotate();
    this.size += writeSync(this.fd, bytes);
  }

  close(): void {
    closeSync(this.fd);
  }

  private rotate(): void {
    closeSync(this.fd);
    rmSync(`${this.file}.${this.oldFiles}`, { force: true });
    for (let number = this.oldFiles; number >= 1; number -= 1) {
      const from = number === 1 ? this.file : `${this.file}.${number - 1}`;
      try {
        renameSync(from, `${this.file}.${number}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    this.fd = openSync(this.file, 'a', 0o600);
    this.size = 0;
  }
}
