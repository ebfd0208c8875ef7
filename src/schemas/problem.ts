// A mistake in a manifest, located: problems are data, never exceptions, and one never hides another.

/** One-based line and column (columns count UTF-16 units, as editors do). */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

export interface Problem extends Position {
  readonly severity: 'error' | 'warning';
  /** Stable rule id, kebab-case: `unknown-key`, `type`, `dangling-reference`. */
  readonly rule: string;
  /** Path in the document: `spec.config.limits.memory`. */
  readonly field: string;
  /** One full sentence: what is wrong. */
  readonly message: string;
  /** What to write instead, when we know. */
  readonly hint?: string;
}
