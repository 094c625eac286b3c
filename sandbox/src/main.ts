import { createSandbox } from './app.js';

/** Ends the process with a sentence and exit code 1. */
function fail(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function portFromEnvironment(): number {
  const text = process.env.SANDBOX_PORT ?? '8042';
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  return fail(`SANDBOX_PORT must be a port number from 0 (any free one) to 65535; it is "${text}".`);
}

const dir =
  process.env.SANDBOX_DIR || fail('SANDBOX_DIR must name the folder in which the sandbox keeps its files.');
const port = portFromEnvironment();
const host = process.env.SANDBOX_HOST || '127.0.0.1';

const sandbox = await createSandbox({ dir, port, host }).catch((error: NodeJS.ErrnoException) => {
  if (error.code === 'EADDRINUSE') return fail(`Port ${port} is taken; set SANDBOX_PORT to another one.`);
  return fail(`The sandbox cannot start with SANDBOX_DIR=${dir} and SANDBOX_HOST=${host}: ${error.message}`);
});

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await sandbox.close();
  process.exit(0);
}
process.on('SIGINT', stop).on('SIGTERM', stop).on('disconnect', stop);

process.stdout.write(`Sandbox PACS at ${sandbox.url}, files in ${dir}\n`);
process.send?.({ type: 'ready', port: sandbox.port });
