// Errors as the API tells them: RFC 9457 problem documents made from AppError, with code, hint and the chain of causes.
import type { FastifyError } from 'fastify';
import { AppError, type ErrorCode, ERRORS, errorChain, toAppError } from '../core/errors.ts';
import type { Problem } from '../schemas/problem.ts';

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly causes?: readonly string[];
  readonly values?: Readonly<Record<string, string | number | boolean>>;
  readonly problems?: readonly Problem[];
}

/** A refused set of manifests: carries the located problems to the client. */
export class ManifestsRefused extends AppError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const errors = problems.filter((one) => one.severity === 'error').length;
    super(
      'MANIFEST_INVALID',
      { errors },
      { message: `Nothing was stored: the manifests have ${errors} ${errors === 1 ? 'error' : 'errors'}.` },
    );
    this.problems = problems;
  }
}

export function problemDocument(error: unknown, instance: string): ProblemDocument {
  const { app, status } = fromFastify(error);
  const chain = errorChain(app);
  const values = Object.fromEntries(
    Object.entries(app.detail).filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined),
  );
  const causes = chain.messages.slice(1);
  return {
    type: `urn:lockstep:error:${app.code}`,
    title: ERRORS[app.code].text,
    status,
    detail: app.message,
    instance,
    code: app.code,
    ...(chain.hint === undefined ? {} : { hint: chain.hint }),
    ...(causes.length === 0 ? {} : { causes }),
    ...(Object.keys(values).length === 0 ? {} : { values }),
    ...(app instanceof ManifestsRefused ? { problems: app.problems } : {}),
  };
}

export function notFoundDocument(method: string, instance: string): ProblemDocument {
  return problemDocument(
    new AppError('NOT_FOUND', {}, { message: `There is nothing at ${method} ${instance}.`, hint: 'See /openapi.json for what there is.' }),
    instance,
  );
}

/** fastify's own errors (body too large, not JSON, schema) keep their HTTP status and become REQUEST_INVALID. */
function fromFastify(error: unknown): { app: AppError; status: number } {
  if (error instanceof AppError) return { app: error, status: error.http };
  if (isFastifyError(error)) {
    const hint = HINTS[error.code];
    const app = new AppError('REQUEST_INVALID', {}, { message: `${sentence(error)}.`, ...(hint === undefined ? {} : { hint }) });
    return { app, status: error.statusCode ?? 400 };
  }
  const app = toAppError(error);
  return { app, status: app.http };
}

const HINTS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send JSON with the header "content-type: application/json".',
  FST_ERR_CTP_BODY_TOO_LARGE: 'Send fewer files at once.',
};

function isFastifyError(error: unknown): error is FastifyError {
  if (!(error instanceof Error)) return false;
  const { statusCode, code } = error as Partial<FastifyError>;
  return typeof statusCode === 'number' && statusCode < 500 && typeof (code ?? '') === 'string';
}

function sentence(error: FastifyError): string {
  const [first] = error.validation ?? [];
  if (first === undefined) return `The request is not valid: ${error.message.replace(/\.$/, '')}`;
  const { additionalProperty, allowedValue, allowedValues } = first.params;
  const where = `${error.validationContext ?? 'request'}${first.instancePath}`;
  const extra = additionalProperty ?? allowedValues ?? allowedValue;
  return `The ${where} is not valid: it ${first.message ?? 'does not match its schema'}${extra === undefined ? '' : ` (${JSON.stringify(extra)})`}`;
}
