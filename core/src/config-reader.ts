import { readFileSync } from 'node:fs';
import { CONFIG_VARIABLES, type VariableName } from './config-variables.js';

/** What the names of all variables about a PACS begin with. */
const PACS_PREFIX = 'PACS_';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads variables and keeps every complaint, so that one start shows all of them. */
export class Reader {
  readonly complaints: string[];
  private readonly env: Environment;
  private readonly prefix: string;

  /**
   * @param prefix - stands where names begin with `PACS_`, such as `PACS_ARCHIVE_`
   * @param complaints - collected together with those of another reader
   */
  constructor(env: Environment, prefix = PACS_PREFIX, complaints: string[] = []) {
    this.env = env;
    this.prefix = prefix;
    this.complaints = complaints;
  }

  /** Reads the variables of one PACS, whose names begin with `prefix` and not with `PACS_`. */
  withPrefix(prefix: string): Reader {
    return new Reader(this.env, prefix, this.complaints);
  }

  /** What the variable is called in the environment. */
  called(name: VariableName): string {
    return name.startsWith(PACS_PREFIX) ? this.prefix + name.slice(PACS_PREFIX.length) : name;
  }

  /** Keeps a complaint; variables are named in it as they are in the table. */
  complain(text: string): void {
    this.complaints.push(text.replace(/\bPACS_(?=[A-Z])/g, this.prefix));
  }

  /** The variable's text, or what stands in the file named by `NAME_FILE`; empty counts as unset. */
  text(name: VariableName): string | undefined {
    const direct = this.env[this.called(name)];
    if (direct !== undefined && direct !== '') return direct;
    const file = this.sourceFile(name);
    return file === undefined ? undefined : this.contents(`${name}_FILE`, file)?.trim() || undefined;
  }

  /** The file that `NAME_FILE` names, where the variable itself is unset and so the file holds its text. */
  sourceFile(name: VariableName): string | undefined {
    const key = this.called(name);
    return this.env[key] || !CONFIG_VARIABLES[name].secret ? undefined : this.env[`${key}_FILE`] || undefined;
  }

  /** What stands in the file that the variable names. */
  file(name: VariableName): string | undefined {
    const file = this.text(name);
    return file === undefined ? undefined : this.contents(name, file);
  }

  private contents(name: string, file: string): string | undefined {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      this.complain(`${name} names the file ${file}, which cannot be read.`);
      return undefined;
    }
  }

  /** @param because - the variable and value that make it necessary, such as `PACS_AUTH is basic` */
  needed(name: VariableName, because: string): string {
    const before = this.complaints.length;
    const value = this.text(name);
    if (value === undefined && this.complaints.length === before) {
      this.complain(`${name} is needed because ${because}.`);
    }
    return value ?? '';
  }

  number(name: VariableName, fallback: number, least: number, most: number): number {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const number = Number(value);
    if (!/^\d+(\.\d+)?$/.test(value) || number < least || number > most) {
      this.complain(`${name} must be a number from ${least} to ${most}, but is "${value}".`);
      return fallback;
    }
    return number;
  }

  port(name: VariableName): number | undefined {
    return this.text(name) === undefined ? undefined : this.integer(name, 1, 1, 65535);
  }

  integer(name: VariableName, fallback: number, least: number, most: number): number {
    const number = this.number(name, fallback, least, most);
    if (!Number.isInteger(number)) {
      this.complain(`${name} must be a whole number, but is "${number}".`);
      return fallback;
    }
    return number;
  }

  choice<const T extends string>(name: VariableName, choices: readonly T[], fallback: T): T {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) {
      this.complain(`${name} must be one of ${choices.join(', ')}, but is "${value}".`);
      return fallback;
    }
    return found;
  }

  flag(name: VariableName): boolean {
    return this.choice(name, ['0', '1'], '0') === '1';
  }

  url(name: VariableName, protocols: readonly string[]): string | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    // The value may carry a password: it is never repeated in the complaint.
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (!url || !protocols.includes(url.protocol.slice(0, -1))) {
      this.complain(`${name} must be a URL starting with ${protocols.map((p) => `${p}://`).join(' or ')}.`);
      return undefined;
    }
    return value.replace(/\/+$/, '');
  }
}
