import { OpenAPIRegistry, OpenApiGeneratorV31 } from '@asteasolutions/zod-to-openapi';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, type ProblemCode } from '@relaypacs/core/contract/problem.js';
import type { z } from 'zod';
import type { Operation } from './operations/operation.js';
import { NAMED_SCHEMAS, OPERATIONS } from './operations.js';

const named = new Map<z.ZodType, z.ZodType>(
  Object.entries(NAMED_SCHEMAS).map(([id, schema]) => [schema, schema.meta({ id })]),
);

/** The schema under its name, where it has one. */
const withName = (schema: z.ZodType) => named.get(schema) ?? schema;

function problemAnswers(codes: readonly ProblemCode[]) {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    byStatus.set(PROBLEMS[code].status, [...(byStatus.get(PROBLEMS[code].status) ?? []), code]);
  }
  const content = { [PROBLEM_MEDIA_TYPE]: { schema: withName(NAMED_SCHEMAS.Problem) } };
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [status, { description: group.join(', '), content }]),
  );
}

function requestOf({ params, query, headers, body, bodyType = 'application/json' }: Operation) {
  return {
    ...(params ? { params } : {}),
    ...(query ? { query } : {}),
    ...(headers ? { headers } : {}),
    ...(body ? { body: { content: { [bodyType]: { schema: withName(body) } } } } : {}),
  };
}

function answersOf({ answers, problems }: Operation) {
  const successes = Object.entries(answers).map(([status, { description, schema, mediaType, headers }]) => [
    status,
    {
      description,
      ...(headers ? { headers } : {}),
      ...(schema ? { content: { [mediaType ?? 'application/json']: { schema: withName(schema) } } } : {}),
    },
  ]);
  return { ...Object.fromEntries(successes), ...problemAnswers(problems) };
}

/** The OpenAPI 3.1 description of what is served, made from the schemas that also check requests. */
export function openApiDocument(): object {
  const registry = new OpenAPIRegistry();
  const bearer = registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  for (const operation of OPERATIONS) {
    registry.registerPath({
      method: operation.method,
      path: operation.path,
      tags: [operation.tag],
      summary: operation.summary,
      ...(operation.secured ? { security: [{ [bearer.name]: [] }] } : {}),
      request: requestOf(operation),
      responses: answersOf(operation),
    });
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'RelayPACS',
      version: '0.1.0',
      description:
        'Takes imaging studies over bad networks and brings them, complete and verified, into a PACS.',
      license: { name: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
  });
}
