// Loaded into a server by NODE_OPTIONS=--require: writes what the processor was busy with to PROFILE_FILE at its end.
const { Session } = require('node:inspector');
const { writeFileSync } = require('node:fs');

const file = process.env.PROFILE_FILE;
if (file) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 500 });
  // Only the load is of interest, not the start.
  process.on('SIGUSR2', () => session.post('Profiler.start'));
  process.on('exit', () => {
    session.post('Profiler.stop', (_error, result) => {
      if (result) writeFileSync(file, JSON.stringify(result.profile));
    });
  });
}
