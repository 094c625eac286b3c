import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { init, type ModuleInfos } from 'license-checker-rseidelsohn';
import { isMainModule } from './main-module.js';
import { projectRoot } from './project-root.js';

/** Permissive licences, by SPDX identifier. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC-BY-4.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
  'Zlib',
]);

/**
 * Whether a licence lets us pass the package on: an SPDX expression, or `MIT*` where the checker read the licence text
 * because the package names none. Of alternatives (OR) one must be permissive, of conjunctions (AND) all.
 */
export function isPermissive(expression: string): boolean {
  const bare = expression.replace(/^\((.*)\)$/, '$1').replace(/\*$/, '');
  if (/[()]/.test(bare)) return false; // Nested expressions do not occur; should one, a person looks at it.
  return bare
    .split(' OR ')
    .some((alternative) => alternative.split(' AND ').every((id) => PERMISSIVE.has(id.trim())));
}

/** Packages that are shipped, of all workspaces, whose licence is not permissive: `name@version: licence`. */
export async function findUnlicensed(): Promise<{ checked: number; offenders: string[] }> {
  const infos: ModuleInfos = await promisify(init)({ start: projectRoot });
  const shipped = shippedFolders();
  const packages = Object.entries(infos).filter(
    ([, { path: folder }]) => folder !== undefined && shipped.has(folder),
  );
  const offenders = packages
    .map(([name, { licenses }]) => ({ name, licences: [licenses ?? 'none'].flat() }))
    .filter(({ licences }) => !licences.every(isPermissive))
    .map(({ name, licences }) => `${name}: ${licences.join(', ')}`);
  return { checked: packages.length, offenders };
}

/** Where the packages lie that are not for development only, as npm's lock file marks them. */
function shippedFolders(): Set<string> {
  interface LockedPackage {
    dev?: boolean;
    link?: boolean;
  }
  const lock = JSON.parse(readFileSync(path.join(projectRoot, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const shipped = Object.entries(lock.packages).filter(
    ([folder, { dev, link }]) => folder.includes('node_modules/') && !dev && !link,
  );
  return new Set(shipped.map(([folder]) => path.join(projectRoot, folder)));
}

if (isMainModule(import.meta.url)) {
  const { checked, offenders } = await findUnlicensed();
  if (checked === 0) offenders.push('No packages found: run "npm ci".');
  if (offenders.length > 0) {
    console.error(`Licences that are not permissive:\n  ${offenders.join('\n  ')}`);
    process.exit(1);
  }
  console.log(`${checked} packages, all under permissive licences.`);
}
