import type { z } from 'zod';

/** What zod hands to an error map. */
type Issue = Parameters<z.core.$ZodErrorMap>[0];

/** What is expected of a value of the wrong type, by zod's name for it. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'Text is needed here',
  number: 'A number is needed here',
  int: 'A whole number is needed here',
  boolean: 'true or false is needed here',
  array: 'A list is needed here',
  object: 'A JSON object with named fields is needed here',
};

const FORMATS: Readonly<Record<string, string>> = {
  email: 'An email address is needed here',
  date: 'A date in the form YYYY-MM-DD is needed here',
  datetime: 'A time such as 2026-01-02T10:00:00Z is needed here',
  uuid: 'An id is needed here, as the API has given it',
  safeint: TYPES.int ?? '',
};

const UNUSABLE = 'This value cannot be used here; check it';

/**
 * What is to be put right, in words for people, wherever a schema has no sentence of its own:
 * `schema.safeParse(value, { error: plainWords })`. Without it zod speaks of "Invalid input: expected string".
 */
export const plainWords: z.core.$ZodErrorMap = (issue) => {
  const isMissing = issue.input === undefined;
  if (issue.code === 'invalid_value') {
    const choice = `${isMissing ? 'This field is needed: choose' : 'Choose'} ${oneOf(issue.values)}`;
    return issue.values.length > 0 ? choice : UNUSABLE;
  }
  if (isMissing) return 'This field is needed';
  return issue.code === 'invalid_type' ? (TYPES[issue.expected] ?? UNUSABLE) : boundWords(issue);
};

function boundWords(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_format':
      return FORMATS[issue.format] ?? 'This is not written in the form that is needed here';
    case 'too_small': {
      const { origin, minimum } = issue;
      if (origin === 'string' && Number(minimum) <= 1) return 'This field is needed';
      return `${issue.inclusive === false ? 'More than' : 'At least'} ${amount(origin, minimum)}`;
    }
    case 'too_big':
      return `${issue.inclusive === false ? 'Less than' : 'At most'} ${amount(issue.origin, issue.maximum)}`;
    case 'not_multiple_of':
      return `A multiple of ${issue.divisor} is needed here`;
    case 'unrecognized_keys':
      return 'This field is not known';
    default:
      return UNUSABLE;
  }
}

/** `12 characters`, `3 entries`, or the number itself. */
function amount(origin: string, bound: number | bigint): string {
  const one = Number(bound) === 1;
  if (origin === 'string') return `${bound} ${one ? 'character' : 'characters'}`;
  if (origin === 'array' || origin === 'set') return `${bound} ${one ? 'entry' : 'entries'}`;
  return String(bound);
}

function oneOf(values: readonly z.core.util.Primitive[]): string {
  const names = values.map(String);
  return names.length === 1 ? `${names[0]}` : `one of ${names.join(', ')}`;
}
