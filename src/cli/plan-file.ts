// A saved plan: what was shown, and what to send again. Applying it is refused when a new plan would differ.
import { open, readFile } from 'node:fs/promises';
import type { PlanReport, SourceFile } from '../api/types.ts';
import { ClientError } from './errors.ts';

export interface PlanFile {
  readonly lockstepPlan: 1;
  /** Absent: a plan of what the daemon's own sources lead to. */
  readonly files?: readonly SourceFile[];
  readonly source?: string;
  readonly replace?: boolean;
  readonly report: PlanReport;
}

/** Readable by its owner only: manifests may hold secrets. */
export async function savePlan(path: string, plan: PlanFile): Promise<void> {
  await using file = await open(path, 'w', 0o600).catch((error: unknown) => {
    throw new ClientError(`The plan cannot be written to "${path}".`, { causes: [(error as Error).message], cause: error });
  });
  await file.chmod(0o600);
  await file.writeFile(`${JSON.stringify(plan, null, 2)}\n`);
}

/** The plan in a file, or undefined when the file holds something else (manifests). */
export async function loadPlan(path: string): Promise<PlanFile | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined || !text.startsWith('{') || !text.slice(0, 200).includes('"lockstepPlan"')) return undefined;
  const value = parse(text) as Partial<PlanFile> | undefined;
  if (value?.lockstepPlan !== 1 || !Array.isArray(value.report?.objects) || !Array.isArray(value.report.confirmations)) {
    throw new ClientError(`"${path}" looks like a saved plan, but this version cannot read it.`, {
      hint: 'Make it again with "lockstep plan --out".',
    });
  }
  return value as PlanFile;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
