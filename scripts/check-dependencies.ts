import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isMainModule } from './main-module.js';
import { projectRoot } from './project-root.js';

/** A source file: its path from the root with forward slashes, and its text. */
export interface SourceFile {
  path: string;
  text: string;
}

/**
 * What each part may import of ours besides itself. A part is named by the start of its path; the longest name that fits
 * counts. What is not listed (scripts, e2e, bench) may import everything.
 */
const ALLOWED: Record<string, readonly string[]> = {
  'core/src/domain': ['core/src/contract'],
  'core/src/contract': ['core/src/domain'],
  'core/src/dicom': [],
  'core/src/archive': ['core/src/dicom'],
  'core/src/studies': ['core/src/dicom'],
  core: ['core'],
  client: ['core/src/contract', 'core/src/dicom', 'core/src/archive', 'core/src/studies'],
  server: ['core'],
  worker: ['core'],
  sandbox: [],
  migrations: [],
};

const SOURCE_FOLDERS = Object.keys(ALLOWED).filter((name) => !name.includes('/'));

/** The imports that break the direction of dependencies, as `file: imports target`. */
export function findViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const part = partOf(file.path);
    const allowed = part === undefined ? undefined : ALLOWED[part];
    if (part === undefined || !allowed) return [];
    return importedPaths(file)
      .filter((target) => ![part, ...allowed].some((name) => isInside(target, name)))
      .map((target) => `${file.path}: imports ${target}; ${part} may import ${list(allowed)}`);
  });
}

/** All TypeScript sources of the parts the rules are about. */
export function readSources(root: string): SourceFile[] {
  return SOURCE_FOLDERS.flatMap((folder) => readFolder(root, folder));
}

function readFolder(root: string, folder: string): SourceFile[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      return entry.name === 'node_modules' || entry.name === 'dist' ? [] : readFolder(root, name);
    }
    return /\.tsx?$/.test(name) ? [{ path: name, text: readFileSync(path.join(root, name), 'utf8') }] : [];
  });
}

/** Paths of our own files and packages that a file imports, statically, dynamically or for types. */
function importedPaths(file: SourceFile): string[] {
  const code = file.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const patterns = [
    /(?:^|[\s;}])(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g,
    /(?:^|[\s;}])import\s*['"]([^'"]+)['"]/g,
    /\b(?:import|require)\s*\(\s*['"`]([^'"`]+)['"`]/g,
    /\bnew\s+URL\(\s*['"`](\.[^'"`]+\.[jt]sx?)['"`]/g,
  ];
  const specifiers = patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => match[1] ?? ''),
  );
  return specifiers.flatMap((specifier) => {
    if (specifier.startsWith('.')) return [path.posix.join(path.posix.dirname(file.path), specifier)];
    const [, workspace, inner] = /^@relaypacs\/([^/]+)(?:\/(.*))?$/.exec(specifier) ?? [];
    return workspace === undefined ? [] : [`${workspace}/src/${inner ?? ''}`];
  });
}

function partOf(file: string): string | undefined {
  const names = Object.keys(ALLOWED).filter((name) => isInside(file, name));
  return names.sort((a, b) => b.length - a.length)[0];
}

const isInside = (file: string, folder: string) => file.startsWith(`${folder}/`);

const list = (allowed: readonly string[]) =>
  allowed.length === 0 ? 'nothing of ours' : `only ${allowed.join(', ')}`;

if (isMainModule(import.meta.url)) {
  const sources = readSources(projectRoot);
  const violations = findViolations(sources);
  if (violations.length > 0) {
    console.error(`Dependencies in a direction that is not allowed:\n  ${violations.join('\n  ')}`);
    process.exit(1);
  }
  console.log(`${sources.length} files, every import in an allowed direction.`);
}
