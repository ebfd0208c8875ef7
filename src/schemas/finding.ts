// A problem before it has a place in a file: what a rule says about a field. Rules are pure functions over data; the caller knows the text.
import type { FieldPath, ManifestDocument } from './document.ts';
import { fieldText } from './field-path.ts';
import type { Position, Problem } from './problem.ts';

export interface Finding {
  readonly path: FieldPath;
  /** The key itself is wrong, not its value. */
  readonly inKey?: boolean;
  readonly rule: string;
  readonly message: string;
  readonly hint?: string;
  readonly severity?: 'error' | 'warning';
}

export function locateFinding(finding: Finding, locate: (path: FieldPath, inKey?: boolean) => Position): Problem {
  return {
    ...locate(finding.path, finding.inKey),
    severity: finding.severity ?? 'error',
    rule: finding.rule,
    field: fieldText(finding.path),
    message: finding.message,
    ...(finding.hint === undefined ? {} : { hint: finding.hint }),
  };
}

/** A located problem in a document. */
export function problemIn(document: ManifestDocument, finding: Finding): Problem {
  return locateFinding(finding, (path, inKey) => document.locate(path, inKey));
}

/** A value as shown in a message: quoted, and cut when long. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
}

/** Known, but no code obeys it yet. */
export function notYet(path: FieldPath, subject: string, hint?: string): Finding {
  return { path, rule: 'not-supported-yet', message: `${subject} not supported yet.`, ...(hint === undefined ? {} : { hint }) };
}
