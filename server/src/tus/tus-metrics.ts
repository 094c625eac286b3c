import type { Metrics } from '@relaypacs/core/observability/metrics.js';
import type { RequestHandler } from 'express';
import type { BodyEnd, BodyReader } from './body-reader.js';
import type { LeaseOrigin, Leases } from './leases.js';
import type { OpenFile } from './open-file.js';
import type { Pacing } from './pacing.js';

const METHODS = new Set(['OPTIONS', 'POST', 'HEAD', 'PATCH', 'DELETE']);
/** Whatever else somebody sends: one label, however many methods there are. */
const OTHER = 'other';
/** The client was gone before its answer began. */
const NO_ANSWER = 'none';

/** Seconds: from an empty request on loopback to a phone that needs minutes for a chunk. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** `refused`: the rest was not read, because what came was too much or could not be kept. */
const BODY_ENDS: readonly (BodyEnd | 'refused')[] = ['complete', 'broken', 'stopped', 'idle', 'refused'];
const LEASE_ORIGINS: readonly LeaseOrigin[] = ['free', 'here', 'elsewhere', 'dead'];
const PACINGS: readonly Pacing[] = ['delayed', 'refused'];

/** What the tus endpoint counts. No label has a value that a client can invent. */
export class TusMetrics {
  private readonly requests;
  private readonly durations;
  private readonly receivedBytes;
  private readonly acknowledgedBytes;
  private readonly bodyEnds;
  private readonly mismatches;
  private readonly leaseTakes;
  private readonly paced;

  constructor(metrics: Metrics, leases: Pick<Leases<OpenFile>, 'openResources'>) {
    this.requests = metrics.counter({
      name: 'tus_requests_total',
      help: 'Requests to the tus endpoint; status "none": the client was gone before its answer',
      labels: ['method', 'status'],
    });
    this.durations = metrics.histogram(
      {
        name: 'tus_request_duration_seconds',
        help: 'Time from the head of a request to the end of its answer, the transfer of its body included',
        labels: ['method'],
      },
      DURATION_BUCKETS,
    );
    this.receivedBytes = metrics.counter({
      name: 'tus_received_bytes_total',
      help: 'Bytes of file contents that arrived, counted at the end of each body',
    });
    this.acknowledgedBytes = metrics.counter({
      name: 'tus_acknowledged_bytes_total',
      help: 'Bytes of file contents that were made durable and recorded',
    });
    this.bodyEnds = metrics.counter({
      name: 'tus_body_ends_total',
      help: 'How the bodies with file contents ended',
      labels: ['end'],
    });
    this.mismatches = metrics.counter({
      name: 'tus_checksum_mismatches_total',
      help: 'Whole bodies that were dropped because they were not what their Upload-Checksum said',
    });
    this.leaseTakes = metrics.counter({
      name: 'tus_lease_takes_total',
      help: 'Files taken for writing, by where their lease was: free, still here, handed over from elsewhere, of a dead server',
      labels: ['from'],
    });
    this.paced = metrics.counter({
      name: 'tus_paced_total',
      help: 'Requests of accounts that send too many: delayed, or refused with 503',
      labels: ['outcome'],
    });
    metrics.gauge({ name: 'tus_open_files', help: 'Files open for writing' }, () => leases.openResources);
    // Known from the start, so that the first event is a rise from 0 and not a series nobody has seen before.
    for (const end of BODY_ENDS) this.bodyEnds.inc({ end }, 0);
    for (const from of LEASE_ORIGINS) this.leaseTakes.inc({ from }, 0);
    for (const outcome of PACINGS) this.paced.inc({ outcome }, 0);
  }

  /** Counts each request, by the method that X-HTTP-Method-Override leaves it with. */
  readonly count: RequestHandler = (req, res, next) => {
    const started = performance.now();
    res.once('close', () => {
      const method = METHODS.has(req.method) ? req.method : OTHER;
      const status = res.headersSent ? res.statusCode : NO_ANSWER;
      this.requests.inc({ method, status });
      this.durations.observe({ method }, (performance.now() - started) / 1000);
    });
    next();
  };

  /** Counts a body nothing more is read of. */
  bodyRead({ received, ending }: Pick<BodyReader, 'ending' | 'received'>): void {
    this.receivedBytes.inc(received);
    this.bodyEnds.inc({ end: ending ?? 'refused' });
  }

  checksumMismatched(): void {
    this.mismatches.inc();
  }

  bytesAcknowledged(bytes: number): void {
    this.acknowledgedBytes.inc(bytes);
  }

  leaseTaken(from: LeaseOrigin): void {
    this.leaseTakes.inc({ from });
  }

  readonly pace = (outcome: Pacing): void => {
    this.paced.inc({ outcome });
  };
}
