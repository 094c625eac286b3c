// Loaded into the worker by NODE_OPTIONS=--require: appends when each of its HTTP requests began and was answered to
// the file REQUEST_LOG, one JSON line a request. Nothing stands between the worker and the PACS, as a proxy would.
const { appendFileSync } = require('node:fs');
const http = require('node:http');

const file = process.env.REQUEST_LOG;
if (file) {
  const { request } = http;
  http.request = (...given) => {
    const begin = Date.now();
    const sent = request(...given);
    sent.once('response', (answer) => {
      answer.once('end', () => {
        const { method, path } = sent;
        appendFileSync(file, `${JSON.stringify({ method, path, begin, end: Date.now() })}\n`);
      });
    });
    return sent;
  };
}
