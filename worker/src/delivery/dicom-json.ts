/** The values of an attribute in the DICOM JSON model (PS3.18 F.2); none where it is absent or empty. */
export function values(dataset: unknown, tag: string): unknown[] {
  if (dataset === null || typeof dataset !== 'object') return [];
  const element: unknown = (dataset as Record<string, unknown>)[tag];
  if (element === null || typeof element !== 'object' || !('Value' in element)) return [];
  return Array.isArray(element.Value) ? element.Value : [];
}

/** The first value of a UI attribute, without the padding some archives leave in. */
export function uidValue(dataset: unknown, tag: string): string | undefined {
  const [value] = values(dataset, tag);
  return typeof value === 'string' ? value.replace(/[\0 ]+$/, '') : undefined;
}

export function numberValue(dataset: unknown, tag: string): number | undefined {
  const [value] = values(dataset, tag);
  return typeof value === 'number' ? value : undefined;
}
