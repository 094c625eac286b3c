/** How long the browser may take to read what it is given to save. */
const READ_WITHIN_MS = 60_000;

/** Has the browser save a file, as a link that is followed does; for answers that need a sign-in no link can carry. */
export function saveFile(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), READ_WITHIN_MS);
}
