// Native errors as AppErrors: errno and liblxc's own words become a code and a detail here and nowhere else.
import { AppError, ERRORS, type ErrorCode, type ErrorDetail } from '../../core/errors.ts';
import type { NativeError } from './binding.ts';

/** The last lines of liblxc's log that say why: without time stamps, errors before warnings. */
export function logReason(log: string): string | undefined {
  const lines = log
    .split('\n')
    .map((line) => /\b(ERROR|WARN)\s+\S+ - (.*)$/.exec(line))
    .filter((found) => found !== null);
  const errors = lines.filter((found) => found[1] === 'ERROR');
  // liblxc unwinds from the inside out: the first error is the cause, the others are its echoes.
  const said = (errors.length > 0 ? errors : lines).slice(0, 3).map((found) => (found[2] ?? '').replace(/^\S+\.c:\S+:\d+ - /, ''));
  return said.length === 0 ? undefined : said.join('; ');
}

function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

/** `what`: a sentence's begin that names the object, such as `Container "web" could not be stopped`. */
export function fromNative(error: unknown, fallback: ErrorCode, what: string, detail: ErrorDetail = {}): AppError {
  if (error instanceof AppError) return error;
  if (!isNativeError(error)) return new AppError(fallback, detail, { message: `${what}.`, cause: error });
  const code: ErrorCode =
    error.code === 'ENOSPC' || error.code === 'EDQUOT' ? 'DISK_FULL' : error.code in ERRORS ? (error.code as ErrorCode) : fallback;
  const reason = logReason(error.log ?? '') ?? error.message.replace(/\.$/, '');
  return new AppError(
    code,
    { ...detail, log: (error.log ?? '').slice(-4000) || undefined },
    { message: `${what}: ${reason}.`, cause: error },
  );
}
