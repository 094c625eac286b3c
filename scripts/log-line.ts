const LOUD = new Set(['error', 'warn']);

/**
 * A child's log line in short, for the terminal: `server error: Could not connect (ECONNREFUSED …)`.
 *
 * @param line - one JSON object as winston writes it; anything else is shown as it is when it came by stderr (a crash
 *   report of Node)
 * @returns undefined for what is not worth showing
 */
export function shortLogLine(service: string, line: string, source: 'stdout' | 'stderr'): string | undefined {
  const plain = source === 'stderr' && line.trim() !== '' ? `${service}: ${line}` : undefined;
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return plain;
  }
  if (typeof entry !== 'object' || entry === null) return plain;
  const { level, message, error } = entry as { level?: unknown; message?: unknown; error?: unknown };
  if (!LOUD.has(String(level))) return undefined;
  const cause = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return `${service} ${level}: ${message}${cause === undefined ? '' : ` (${cause})`}`;
}
