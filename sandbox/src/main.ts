import { createSandbox } from './app.js';
import { readSettings, SettingsError } from './settings.js';

/** Ends the process with a sentence and exit code 1. */
function fail(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function settings() {
  try {
    return readSettings(process.env);
  } catch (error) {
    if (error instanceof SettingsError) return fail(error.message);
    throw error;
  }
}

const options = settings();
const { dir, host, port } = options;
const sandbox = await createSandbox(options).catch((error: NodeJS.ErrnoException) => {
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
