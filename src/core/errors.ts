// One error class and one table of codes. A code carries its HTTP status and what the reconciler does with it;
// nobody matches on message text. Foreign errors (errno, liblxc, a tool's exit code) become a code in the file that made the call.
import { inspect } from 'node:util';

/**
 * - `backoff`: try again by itself, later and later.
 * - `on-change`: trying again is useless until the manifest, the host or the environment changes (backstop only).
 * - `never`: a request that is simply refused.
 */
export type RetryClass = 'backoff' | 'on-change' | 'never';

export interface ErrorEntry {
  readonly http: number;
  readonly retry: RetryClass;
  readonly text: string;
}

export const ERRORS = {
  // language
  MANIFEST_INVALID: { http: 400, retry: 'on-change', text: 'the manifest does not match its schema' },
  REFERENCE_MISSING: { http: 409, retry: 'on-change', text: 'an object that is referred to does not exist' },
  NAME_INVALID: { http: 400, retry: 'never', text: 'the name is not allowed' },
  VALUE_INVALID: { http: 400, retry: 'on-change', text: 'the value is not allowed' },
  NOT_SUPPORTED_YET: { http: 501, retry: 'on-change', text: 'this is not supported yet' },
  OWNED_BY_OTHER_SOURCE: { http: 409, retry: 'on-change', text: 'another source owns this object' },
  // requests
  REQUEST_INVALID: { http: 400, retry: 'never', text: 'the request is not valid' },
  NOT_FOUND: { http: 404, retry: 'never', text: 'there is no such object' },
  CONFLICT: { http: 409, retry: 'never', text: 'the object does not allow this now' },
  FORBIDDEN: { http: 403, retry: 'never', text: 'this is not allowed' },
  PROTECTED: { http: 409, retry: 'never', text: 'the object is protected against deletion' },
  PLAN_STALE: { http: 409, retry: 'never', text: 'the plan is no longer what would happen' },
  UNAVAILABLE: { http: 503, retry: 'backoff', text: 'the daemon cannot answer this now' },
  TOO_MANY_REQUESTS: { http: 429, retry: 'backoff', text: 'too many clients ask for this at once' },
  CONFIRMATION_STALE: { http: 409, retry: 'never', text: 'the list to confirm has changed' },
  // daemon
  STATE_DIR_UNREACHABLE: { http: 500, retry: 'on-change', text: 'the state directory cannot be reached by containers' },
  STATE_DIR_BUSY: { http: 500, retry: 'never', text: 'another daemon uses this state directory or prefix' },
  LEDGER_NEWER: { http: 500, retry: 'never', text: 'the ledger was written by a newer version' },
  LEDGER_CORRUPT: { http: 500, retry: 'never', text: 'the ledger cannot be read' },
  LEDGER_WRITE_FAILED: { http: 500, retry: 'backoff', text: 'the ledger cannot be written' },
  SOURCE_UNREADABLE: { http: 500, retry: 'backoff', text: 'the source cannot be read' },
  SOURCE_REFUSED: { http: 409, retry: 'on-change', text: 'the new revision of the source is refused' },
  INTERNAL: { http: 500, retry: 'backoff', text: 'something went wrong inside the daemon' },
  TIMED_OUT: { http: 504, retry: 'backoff', text: 'the time limit has passed' },
  CANCELLED: { http: 499, retry: 'backoff', text: 'the work was cancelled' },
  // host
  HOST_UNREADABLE: { http: 500, retry: 'backoff', text: 'the state of the host cannot be read' },
  TOOL_MISSING: { http: 500, retry: 'on-change', text: 'a program that is needed is not installed' },
  TOOL_FAILED: { http: 500, retry: 'backoff', text: 'a program failed' },
  FEATURE_MISSING: { http: 500, retry: 'on-change', text: 'the kernel or system lacks a feature that is needed' },
  DISK_FULL: { http: 507, retry: 'backoff', text: 'there is no space left' },
  FILE_FAILED: { http: 500, retry: 'backoff', text: 'a file operation failed' },
  // lxc
  LXC_FAILED: { http: 500, retry: 'backoff', text: 'liblxc refused the operation' },
  LXC_START_FAILED: { http: 500, retry: 'backoff', text: 'the container did not start' },
  LXC_NOT_RUNNING: { http: 409, retry: 'backoff', text: 'the container is not running' },
  LXC_HELPER_LOST: { http: 500, retry: 'backoff', text: 'the native helper ended during the operation' },
  HANDLE_CLOSED: { http: 500, retry: 'never', text: 'the handle is already closed' },
  EXEC_FAILED: { http: 500, retry: 'never', text: 'the command could not be run in the container' },
  // storage, images
  POOL_MISSING: { http: 409, retry: 'backoff', text: 'the pool is not there' },
  POOL_IN_USE: { http: 409, retry: 'backoff', text: 'the pool is in use' },
  POOL_FOREIGN: { http: 409, retry: 'on-change', text: 'the place holds something that is not ours' },
  POOL_FAILED: { http: 500, retry: 'backoff', text: 'the pool operation failed' },
  VOLUME_MISSING: { http: 404, retry: 'backoff', text: 'the volume is not there' },
  VOLUME_IN_USE: { http: 409, retry: 'backoff', text: 'the volume is in use' },
  VOLUME_FAILED: { http: 500, retry: 'backoff', text: 'the volume operation failed' },
  IMAGE_INVALID: { http: 400, retry: 'on-change', text: 'the image cannot be used' },
  IMAGE_MISSING: { http: 404, retry: 'backoff', text: 'the image is not there' },
  IMAGE_BUILD_FAILED: { http: 500, retry: 'backoff', text: 'the image could not be built' },
  IDS_EXHAUSTED: { http: 507, retry: 'on-change', text: 'no free range of user ids is left' },
  IDMAP_UNSUPPORTED: { http: 500, retry: 'on-change', text: 'the file system cannot map ids' },
  // network
  NETWORK_MISSING: { http: 409, retry: 'backoff', text: 'the network is not there' },
  NETWORK_IN_USE: { http: 409, retry: 'backoff', text: 'the network is in use' },
  NETWORK_FOREIGN: { http: 409, retry: 'on-change', text: 'a link of that name is not ours' },
  NETWORK_FAILED: { http: 500, retry: 'backoff', text: 'the network operation failed' },
  SUBNETS_EXHAUSTED: { http: 507, retry: 'on-change', text: 'no free subnet or address is left' },
  DEVICE_REFUSED: { http: 409, retry: 'backoff', text: 'the device cannot be put into the container' },
  DEVICE_MISSING: { http: 409, retry: 'backoff', text: 'the device is not there' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** Plain values that say what was attempted on what: names, paths, numbers. Never a secret. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | undefined>>;

export interface AppErrorOptions {
  /** One full sentence: what was attempted on what and why it failed. Default: the code's text. */
  readonly message?: string;
  /** What the person can do next, as a full sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, detail: ErrorDetail = {}, options: AppErrorOptions = {}) {
    super(options.message ?? ERRORS[code].text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.detail = detail;
    this.hint = options.hint;
  }

  get retry(): RetryClass {
    return ERRORS[this.code].retry;
  }

  get http(): number {
    return ERRORS[this.code].http;
  }
}

/** Any thrown value as an AppError; what is not one yet becomes `fallback` with the original as its cause. */
export function toAppError(error: unknown, fallback: ErrorCode = 'INTERNAL', detail: ErrorDetail = {}): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : inspect(error);
  const code = isErrno(error, 'ENOSPC') || isOverQuota(error) ? 'DISK_FULL' : fallback;
  return new AppError(code, detail, { message: `${ERRORS[code].text}: ${message}`, cause: error });
}

/** EDQUOT (errno(3), 122 on Linux), which Node has no name for. */
function isOverQuota(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && error.errno === -122;
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The messages of an error and its causes, outermost first, each once; the last hint found. */
export function errorChain(error: unknown): { messages: string[]; hint: string | undefined } {
  const messages: string[] = [];
  let hint: string | undefined;
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 10; depth++) {
    const message = at instanceof Error ? at.message : inspect(at);
    if (!messages.some((seen) => seen.includes(message))) messages.push(message);
    if (at instanceof AppError && at.hint !== undefined) hint = at.hint;
    at = at instanceof Error ? at.cause : undefined;
  }
  return { messages, hint };
}

/** An error, its causes and what to do about it as one line. */
export function errorAdvice(error: unknown): string {
  const { messages, hint } = errorChain(error);
  const text = messages.join(': ');
  return hint === undefined ? text : `${text}${/[.!?]$/.test(text) ? '' : '.'} ${hint}`;
}

/** An error and its causes as one line. */
export function errorText(error: unknown): string {
  return errorChain(error).messages.join(': ');
}
