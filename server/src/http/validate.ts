import { plainWords } from '@relaypacs/core/contract/plain-words.js';
import type { Request } from 'express';
import type { z } from 'zod';
import { HttpProblem, invalidFields } from './http-problem.js';

function pathText(path: ReadonlyArray<PropertyKey>): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/**
 * A value in the form of `schema`.
 *
 * @param at - where the value stands in the request, if not at its top
 * @throws HttpProblem VALIDATION_FAILED naming each wrong field
 */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  at: readonly string[] = [],
): z.output<S> {
  const result = schema.safeParse(value, { error: plainWords });
  if (result.success) return result.data;
  throw invalidFields(
    result.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({
            path: pathText([...at, ...issue.path, key]),
            message: 'This field is not known',
          }))
        : [{ path: pathText([...at, ...issue.path]), message: issue.message }],
    ),
  );
}

/**
 * The request's JSON body in the form of `schema`.
 *
 * @throws HttpProblem UNSUPPORTED_MEDIA_TYPE, or VALIDATION_FAILED naming each wrong field
 */
export function readBody<S extends z.ZodType>(schema: S, req: Request): z.output<S> {
  if (req.body === undefined) {
    const empty = req.get('content-length') === undefined || req.get('content-length') === '0';
    if (!empty) throw new HttpProblem('UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json.');
    return parse(schema, {});
  }
  return parse(schema, req.body);
}

/** The request's query parameters in the form of `schema`. */
export function readQuery<S extends z.ZodType>(schema: S, req: Request): z.output<S> {
  return parse(schema, req.query);
}
