// Text frames of an exec connection, checked against their schemas. Compiled at first use: most daemons never run a command.
import { Ajv, type ValidateFunction } from 'ajv';
import { AppError } from '../core/errors.ts';
import { ExecControl, ExecStart } from './requests.ts';

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2 } as const;

let compiled: { start: ValidateFunction<ExecStart>; control: ValidateFunction<ExecControl> } | undefined;

function validators(): NonNullable<typeof compiled> {
  if (compiled === undefined) {
    const ajv = new Ajv({ strict: true, allowUnionTypes: true });
    compiled = { start: ajv.compile<ExecStart>(ExecStart), control: ajv.compile<ExecControl>(ExecControl) };
  }
  return compiled;
}

/** Throws REQUEST_INVALID. */
export function checkExecStart(text: string): ExecStart {
  const check = validators().start;
  const value = parseJson(text);
  if (check(value)) return value;
  throw refused('first', check);
}

/** Throws REQUEST_INVALID. */
export function checkExecControl(text: string): ExecControl {
  const check = validators().control;
  const value = parseJson(text);
  if (check(value)) return value;
  throw refused('control', check);
}

function refused(which: string, check: ValidateFunction): AppError {
  const [first] = check.errors ?? [];
  return new AppError(
    'REQUEST_INVALID',
    {},
    { message: `The ${which} frame is not valid: ${first?.instancePath ?? ''} ${first?.message ?? 'it does not match its schema'}.` },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
