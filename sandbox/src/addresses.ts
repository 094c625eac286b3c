import type { RequestKind } from './faults/fault.js';
import type { Personality } from './personalities/personality.js';
import { TOKEN_PATH } from './token-issuer.js';

/** Where every personality can be reached besides its own root, so that one address serves to try them all. */
const ALIAS = '/dicom-web';

/** What a request is for; `path` is below the DICOMweb root. */
export type Address =
  | { area: 'dicomweb'; kind: Exclude<RequestKind, 'token'>; path: string }
  | { area: 'token'; kind: 'token' }
  | { area: 'other' };

/** Tells what a request is for by its method and its path without the query. */
export function addressOf({ root }: Personality, method: string, path: string): Address {
  if (path === TOKEN_PATH) return { area: 'token', kind: 'token' };
  for (const prefix of [root, ALIAS]) {
    if (path !== prefix && !path.startsWith(`${prefix}/`)) continue;
    const below = path.slice(prefix.length);
    return { area: 'dicomweb', kind: kindOf(method, below), path: below };
  }
  return { area: 'other' };
}

function kindOf(method: string, path: string): 'stow' | 'qido' | 'wado' {
  if (method === 'POST') return 'stow';
  return /\/(studies|series|instances)\/?$/.test(path) ? 'qido' : 'wado';
}
