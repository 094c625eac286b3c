import type { LaunchOptions } from 'playwright-core';
import { isRoot } from '../../scripts/postgres-account.js';
import { findChromium } from '../../scripts/test-services.js';

/** Chromium's own traffic (updates, field trials, sync) has no place in a test and fails on closed networks. */
const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Options for playwright-core's `chromium.launch`, with the system's Chromium.
 *
 * @param args - further command line switches
 * @throws Error when there is no Chromium
 */
export function chromiumLaunchOptions(args: readonly string[] = []): LaunchOptions {
  const executablePath = findChromium();
  if (!executablePath)
    throw new Error('Chromium is missing: run "npm test" once, or set RELAYPACS_TEST_CHROMIUM.');
  // Chromium refuses its sandbox to root.
  return { executablePath, headless: true, chromiumSandbox: !isRoot(), args: [...QUIET, ...args] };
}
