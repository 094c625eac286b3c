// Left behind in every folder, and in every archive made of one, by operating systems; nobody means to send them.
const JUNK = /^(\.DS_Store|Thumbs\.db|desktop\.ini|\._.*)$/i;

/** @param path - with forward slashes */
export function isJunk(path: string): boolean {
  return JUNK.test(path.slice(path.lastIndexOf('/') + 1)) || /(^|\/)__MACOSX\//.test(path);
}
