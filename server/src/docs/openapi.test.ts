import { expect, it } from 'vitest';
import { openApiDocument } from './openapi.js';

const document = JSON.parse(JSON.stringify(openApiDocument()));

it('names the types that clients are generated from, and refers to nothing that is not there', () => {
  const names = Object.keys(document.components.schemas);
  expect(names).toEqual(expect.arrayContaining(['Problem', 'Upload', 'UploadAnnouncement', 'Session']));
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
    (m) => m[1],
  );
  expect(references.length).toBeGreaterThan(10);
  expect(references.filter((name) => !names.includes(String(name)))).toEqual([]);
});

it('describes the headers the tus protocol lives on', () => {
  const names = (method: string, path: string) =>
    document.paths[path][method].parameters.map(({ name }: { name: string }) => name);
  expect(names('post', '/files')).toEqual(
    expect.arrayContaining(['Tus-Resumable', 'Upload-Length', 'Upload-Metadata']),
  );
  expect(names('patch', '/files/{fileId}')).toEqual(expect.arrayContaining(['fileId', 'Upload-Offset']));
  expect(Object.keys(document.paths['/files'].post.responses['201'].headers)).toContain('Location');
});

it('answers every error with the one problem document', () => {
  for (const path of Object.values<Record<string, { responses: object }>>(document.paths)) {
    for (const { responses } of Object.values(path)) {
      for (const [status, answer] of Object.entries(responses)) {
        if (Number(status) < 400) continue;
        expect(answer.content['application/problem+json'].schema).toEqual({
          $ref: '#/components/schemas/Problem',
        });
      }
    }
  }
});
