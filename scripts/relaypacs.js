#!/usr/bin/env node
// What people can run in a checkout: `npx relaypacs verify-receipt …`. The commands are TypeScript, which needs tsx.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const COMMANDS = { 'verify-receipt': './verify-receipt.ts' };
const [name = '', ...args] = process.argv.slice(2);
const program = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;

if (program === undefined) {
  console.error(`Usage: relaypacs ${Object.keys(COMMANDS).join(' | ')} …`);
  process.exit(2);
}
const options = ['--conditions=source', '--import', import.meta.resolve('tsx')];
const file = fileURLToPath(new URL(program, import.meta.url));
const { status, error } = spawnSync(process.execPath, [...options, file, ...args], { stdio: 'inherit' });
if (error) console.error(error.message);
process.exit(status ?? 2);
