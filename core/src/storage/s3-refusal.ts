import { S3ServiceException } from '@aws-sdk/client-s3';
import { ConfigError } from '../config.js';
import type { S3Settings } from './s3-storage.js';

/** Rights that every process needs in the bucket. */
const RIGHTS = 's3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject';

/** What was tried when the service refused: to list the bucket, to put an object, to read it, to remove it. */
export type S3Step = 'list' | 'put' | 'read' | 'remove';

/** How the service is called in a sentence; a user or password in the address is left out. */
function nameOf({ endpoint, region }: S3Settings): string {
  return endpoint === undefined ? `Amazon S3 in ${region}` : `the S3 service at ${new URL(endpoint).origin}`;
}

/** The service's own word for what is wrong, never its message: that may quote what was sent. */
export function explain(error: unknown): string {
  // Answers without a body, as those to HEAD, come as `UnknownError`.
  if (error instanceof S3ServiceException) return `${error.name} (HTTP ${error.$metadata.httpStatusCode})`;
  // Node gives no message when every address of a host name failed.
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0] ?? '';
}

/** True for what may be gone in a moment: the service is away, overloaded or failing. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof S3ServiceException)) return true;
  const { httpStatusCode = 500 } = error.$metadata;
  if (httpStatusCode === 501) return false;
  // The SDK sets its clock right by such an answer.
  return httpStatusCode >= 500 || httpStatusCode === 429 || error.name === 'RequestTimeTooSkewed';
}

/**
 * What to tell an operator whose settings were tried in vain.
 *
 * @returns ConfigError naming the variable to change, or a plain Error when the service is only away
 */
export function refusal(error: unknown, step: S3Step, settings: S3Settings): Error {
  const sentence = wrongSetting(error, step, settings);
  if (sentence !== undefined) return new ConfigError(sentence);
  return new Error(
    `${capitalized(nameOf(settings))} does not work just now: ${explain(error)}. Start it, or correct S3_ENDPOINT.`,
    { cause: error },
  );
}

function wrongSetting(error: unknown, step: S3Step, settings: S3Settings): string | undefined {
  const { bucket, region, encryption } = settings;
  const service = nameOf(settings);
  const name = error instanceof Error ? error.name : '';
  if (name === 'CredentialsProviderError') {
    return 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed: nothing else on this machine gives access to S3.';
  }
  if (isForeignAnswer(error))
    return `S3_ENDPOINT must be an S3 service, but ${service} answers as none does.`;
  if (!(error instanceof S3ServiceException) || isPassing(error)) return undefined;
  // A key that cannot be used for encryption is reported like one that gives no access.
  if (step === 'put' && encryption) {
    return `S3_SSE asks for ${encryption.mode}, but ${service} did not take an object: ${explain(error)}. Correct S3_SSE and S3_KMS_KEY_ID, and give the access key ${RIGHTS} in the bucket ${bucket}.`;
  }
  switch (name) {
    case 'NoSuchBucket':
    case 'InvalidBucketName':
      return `S3_BUCKET is "${bucket}", but ${service} has no such bucket. Make it, or correct S3_BUCKET or S3_ENDPOINT.`;
    case 'InvalidAccessKeyId':
      return `AWS_ACCESS_KEY_ID is not a key that ${service} knows.`;
    case 'SignatureDoesNotMatch':
      return `AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID for ${service}.`;
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
      return `S3_REGION is "${region}", but the bucket ${bucket} lies in another region of ${service}.`;
    case 'NotFound':
      return `S3_ENDPOINT must be an S3 service, but ${service} answers as none does.`;
    default:
      return `S3_BUCKET is "${bucket}", but ${service} does not let the access key ${step} objects there: ${explain(error)}. It needs ${RIGHTS}.`;
  }
}

/** An answer that the SDK cannot read: a web page. Errors without an answer carry `$metadata` too, but no status. */
function isForeignAnswer(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof S3ServiceException || !('$metadata' in error))
    return false;
  const { $metadata: metadata } = error;
  return metadata instanceof Object && 'httpStatusCode' in metadata && metadata.httpStatusCode !== undefined;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
