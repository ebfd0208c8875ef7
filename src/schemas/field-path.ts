// Field paths as people read them.
import type { FieldPath } from './document.ts';

/** `spec.config.limits.memory`, `spec.dependsOn[0].name`. */
export function fieldText(path: FieldPath): string {
  let text = '';
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${part}`;
  return text;
}
