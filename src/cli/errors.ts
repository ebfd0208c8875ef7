// Errors of the client as people see them: what went wrong, where, why, and what to do next. On stderr, never mixed with output.
import type { Problem, ProblemDocument } from '../api/types.ts';
import { errorChain } from '../core/errors.ts';
import { EXIT } from './exit-codes.ts';
import { problemLines } from './problem-text.ts';
import type { Output } from './output.ts';

export interface ClientErrorOptions {
  readonly hint?: string;
  readonly exitCode?: number;
  readonly causes?: readonly string[];
  readonly problems?: readonly Problem[];
  readonly code?: string;
  readonly cause?: unknown;
}

export class ClientError extends Error {
  readonly options: ClientErrorOptions;

  constructor(message: string, options: ClientErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ClientError';
    this.options = options;
  }
}

export function usageError(message: string, hint?: string): ClientError {
  return new ClientError(message, { exitCode: EXIT.usage, ...(hint === undefined ? {} : { hint }) });
}

/** The daemon's problem document as an error; a file and line it names are put in front, as editors understand them. */
export function fromProblemDocument(document: ProblemDocument): ClientError {
  return new ClientError(document.detail, {
    code: document.code,
    ...(document.hint === undefined ? {} : { hint: document.hint }),
    ...(document.causes === undefined ? {} : { causes: document.causes }),
    ...(document.problems === undefined ? {} : { problems: document.problems }),
  });
}

/** Prints the error and gives the exit code. */
export function reportError(error: unknown, output: Output): number {
  if (!(error instanceof ClientError)) {
    const { messages, hint } = errorChain(error);
    output.error(messages[0] ?? 'Something went wrong.');
    for (const message of messages.slice(1)) output.errorDetail('because', message);
    if (hint !== undefined) output.errorDetail('next', hint);
    return EXIT.error;
  }
  const { hint, causes, problems, exitCode } = error.options;
  for (const line of problemLines(problems ?? [], output.errorStyle)) output.errorLine(line);
  output.error(error.message);
  for (const cause of causes ?? []) output.errorDetail('because', cause);
  if (hint !== undefined) output.errorDetail('next', hint);
  return exitCode ?? EXIT.error;
}
