import { SystemStatusSchema } from '@relaypacs/core/contract/admin.js';
import { z } from 'zod';
import { BEARER_PROBLEMS, type Operation } from './operation.js';

/** What is for administrators, and for who runs the system. */
export const ADMINISTRATION_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/api/v1/admin/system',
    tag: 'Administration',
    summary: 'Each PACS, the queues and what failed lately; administrators only',
    secured: true,
    answers: { 200: { description: 'The state of the system', schema: SystemStatusSchema } },
    problems: BEARER_PROBLEMS,
  },
  {
    method: 'get',
    path: '/healthz',
    tag: 'Operation',
    summary: 'The process is alive',
    answers: { 200: { description: 'Alive', schema: z.object({ status: z.literal('ok') }) } },
    problems: [],
  },
  {
    method: 'get',
    path: '/readyz',
    tag: 'Operation',
    summary: 'Uploads can be taken; 503 with the same body when not',
    answers: {
      200: {
        description: 'Ready',
        schema: z.object({
          status: z.enum(['ready', 'not ready']),
          checks: z.object({
            database: z.boolean(),
            storage: z.boolean(),
            queue: z.boolean(),
            pacs: z.enum(['configured', 'not configured']),
          }),
        }),
      },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/metrics',
    tag: 'Operation',
    summary: 'Counters of this process for Prometheus, for bearers of METRICS_TOKEN; 404 where none is set',
    secured: true,
    answers: {
      200: {
        description: "Prometheus' text format",
        schema: z.string(),
        mediaType: 'text/plain; version=0.0.4',
      },
    },
    problems: ['UNAUTHENTICATED', 'INVALID_TOKEN', 'NOT_FOUND'],
  },
];
