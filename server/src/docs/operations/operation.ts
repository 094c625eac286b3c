import type { ProblemCode } from '@relaypacs/core/contract/problem.js';
import { UPLOAD_STATUSES } from '@relaypacs/core/contract/uploads.js';
import { z } from 'zod';

type Method = 'get' | 'post' | 'delete' | 'head' | 'patch' | 'options';

/** One call of the API, as its description needs it. */
export interface Operation {
  method: Method;
  path: string;
  tag: string;
  summary: string;
  /** Bearer token needed. */
  secured?: boolean;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** Request headers beyond Authorization. */
  headers?: z.ZodObject;
  body?: z.ZodType;
  /** Media type of the body; JSON where it is left out. */
  bodyType?: string;
  answers: Record<
    number,
    { description: string; schema?: z.ZodType; mediaType?: string; headers?: z.ZodObject }
  >;
  problems: ProblemCode[];
}

export const Id = z.object({ id: z.string() });

export const StatusAnswer = z.object({ id: z.string(), status: z.enum(UPLOAD_STATUSES) });

/** What a bearer token can be refused for; FORBIDDEN is for API tokens. */
export const BEARER_PROBLEMS: ProblemCode[] = ['UNAUTHENTICATED', 'INVALID_TOKEN', 'FORBIDDEN'];
