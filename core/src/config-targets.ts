import { z } from 'zod';
import { type PacsConfig, readPacs } from './config-pacs.js';
import type { Reader } from './config-reader.js';
import { CONFIG_VARIABLES } from './config-variables.js';
import {
  ModalitySchema,
  SERVICE_LEVELS,
  VERIFICATION_LEVELS,
  type VerificationLevel,
} from './contract/uploads.js';
import type { RoutingRule } from './domain/routing.js';

/** The target of everything no rule sends elsewhere; it is the one `PACS_URL` names. */
export const DEFAULT_TARGET = 'default';

/** One PACS that studies are delivered to. */
export interface PacsTarget extends PacsConfig {
  /** Stands in the database, the API and metrics: lower case letters, digits, dashes. */
  key: string;
  /** What people read. */
  name: string;
  /** What the names of its variables begin with, for messages to the operator. */
  prefix: string;
  /** Most studies delivered to it at once, by all workers together. */
  concurrency: number;
  verification: {
    level: VerificationLevel;
    /** Share of a study's instances whose bytes are compared at level `bytes`, 0 to 1; at least one of each study. */
    share: number;
  };
}

/** Every PACS of the configuration, and which studies go to which. */
export interface PacsTargets {
  /** The default first; empty when none is configured. */
  all: readonly PacsTarget[];
  rules: readonly RoutingRule[];
  /** Keys of those a sender may choose. */
  choices: readonly string[];
}

/** @returns undefined when there is no such target (any more) */
export function findTarget({ all }: Pick<PacsTargets, 'all'>, key: string): PacsTarget | undefined {
  return all.find((target) => target.key === key);
}

/** What people read as the name of a target; its key, when it is not configured any more. */
export function targetName(pacs: Pick<PacsTargets, 'all'>, key: string): string {
  return findTarget(pacs, key)?.name ?? key;
}

const KEY = /^[a-z][a-z0-9-]{0,31}$/;
const prefixOf = (key: string) => `PACS_${key.toUpperCase().replaceAll('-', '_')}_`;

export function readTargets(reader: Reader): PacsTargets {
  const main = readTarget(reader, DEFAULT_TARGET, 'PACS_');
  const named = readKeys(reader).flatMap((key) => readTarget(reader, key, prefixOf(key)) ?? []);
  if (named.length > 0 && !main && reader.text('PACS_URL') === undefined) {
    reader.complain('PACS_URL is needed because PACS_TARGETS names others; it is where all the rest goes.');
  }
  const all = [...(main ? [main] : []), ...named];
  const keys = [DEFAULT_TARGET, ...named.map(({ key }) => key)];
  return { all, rules: readRules(reader, keys), choices: readChoices(reader, keys) };
}

function readTarget(reader: Reader, key: string, prefix: string): PacsTarget | undefined {
  const own = key === DEFAULT_TARGET ? reader : reader.withPrefix(prefix);
  const pacs = readPacs(own);
  const more = {
    name: own.text('PACS_NAME') ?? (key === DEFAULT_TARGET ? 'PACS' : key),
    concurrency: own.integer('PACS_CONCURRENCY', 8, 1, 256),
    verification: {
      level: own.choice('PACS_VERIFY', VERIFICATION_LEVELS, 'uids'),
      share: own.number('PACS_VERIFY_PERCENT', 100, 0, 100) / 100,
    },
  };
  if (!pacs) {
    if (key !== DEFAULT_TARGET && own.text('PACS_URL') === undefined) {
      reader.complain(`${own.called('PACS_URL')} is needed because PACS_TARGETS names ${key}.`);
    }
    return undefined;
  }
  return { ...pacs, ...more, key, prefix };
}

function readKeys(reader: Reader): string[] {
  const keys = (reader.text('PACS_TARGETS') ?? '').split(/[\s,]+/).filter((key) => key !== '');
  return [...new Set(keys)].filter((key) => {
    const taken = Object.keys(CONFIG_VARIABLES).some((name) => name.startsWith(prefixOf(key)));
    if (KEY.test(key) && !taken && key !== DEFAULT_TARGET) return true;
    const why = taken
      ? 'the name is taken by other variables'
      : 'names have lower case letters, digits and dashes';
    reader.complain(`PACS_TARGETS lists "${key}", which cannot be used: ${why}.`);
    return false;
  });
}

const oneOrMore = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(schema).min(1));

const RulesSchema = z.array(
  z.strictObject({
    serviceLevel: oneOrMore(z.enum(SERVICE_LEVELS)).optional(),
    modality: oneOrMore(ModalitySchema).optional(),
    facility: oneOrMore(z.string().trim().min(1)).optional(),
    target: z.string(),
  }),
);

function readRules(reader: Reader, keys: readonly string[]): RoutingRule[] {
  const text = reader.text('PACS_RULES');
  if (text === undefined) return [];
  const rules = RulesSchema.safeParse(parseJson(text));
  if (!rules.success) {
    const [issue] = rules.error.issues;
    const where = issue && issue.path.length > 0 ? ` (${issue.path.join('.')}: ${issue.message})` : '';
    reader.complain(
      `PACS_RULES must be a JSON list such as [{"serviceLevel": "stat", "target": "archive"}]${where}.`,
    );
    return [];
  }
  for (const { target } of rules.data) {
    if (!keys.includes(target)) {
      reader.complain(`PACS_RULES sends to "${target}", which is not one of ${keys.join(', ')}.`);
    }
  }
  return rules.data.map(({ serviceLevel, modality, facility, target }) => ({
    target,
    ...(serviceLevel && { serviceLevels: serviceLevel }),
    ...(modality && { modalities: modality }),
    ...(facility && { facilities: facility }),
  }));
}

function readChoices(reader: Reader, keys: readonly string[]): string[] {
  const choices = (reader.text('PACS_CHOICES') ?? '').split(/[\s,]+/).filter((key) => key !== '');
  for (const key of choices) {
    if (!keys.includes(key)) {
      reader.complain(`PACS_CHOICES lists "${key}", which is not one of ${keys.join(', ')}.`);
    }
  }
  return [...new Set(choices)];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
