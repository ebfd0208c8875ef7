// Asks a person yes or no, on the terminal.
import { createInterface } from 'node:readline/promises';
import { usageError } from './errors.ts';

export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** False for anything but y or yes. Throws a usage error where nobody can be asked. The question goes to stderr, output stays clean. */
export async function askYes(question: string): Promise<boolean> {
  if (!canAsk()) throw usageError(`${question} Nobody can be asked here.`, 'Give --yes when you are sure.');
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await reader.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
