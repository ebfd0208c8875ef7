// How long a fuzz target runs, and what it starts from. LOCKSTEP_FUZZ_SECONDS is the time for each target;
// by default a minute for all of them together in CI, a moment elsewhere, and a minute for each with `npm run test:fuzz`.
// A failure prints its input and seed: put the input into corpus/ when it is mended, so that it is tried first from then on.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';

const SECONDS = Number(process.env['LOCKSTEP_FUZZ_SECONDS'] ?? (process.env['CI'] === 'true' ? 10 : 2));

/** Tries `check` on as many values as there is time for. */
export function holds<T>(values: fc.Arbitrary<T>, check: (value: T) => void): void {
  const until = { interruptAfterTimeLimit: SECONDS * 1000, markInterruptAsFailure: false };
  // Synchronous, because the property is.
  fc.assert(fc.property(values, check), { numRuns: 1_000_000_000, ...until });
}

const CORPUS = join(import.meta.dirname, 'corpus');

export function corpus(): readonly string[] {
  return readdirSync(CORPUS)
    .toSorted()
    .map((name) => readFileSync(join(CORPUS, name), 'utf8'));
}

/** Pieces that mean something to YAML or to the manifest language. */
const PIECES = [
  ' ', '  ', '\n', '\n  ', '\n- ', '- ', ': ', ':', ', ', ',', '{', '}', '[', ']', '{}', '[]', '"', "'", '#', ' # c', '---\n', '...\n', '%',
  '&a ', '*a', '!x ', '|', '>', '|\n', '?', '? ', '<<: ', '\t', '\r\n', '\0', '\u0085', '\u2028', '\ufeff', '\ud800', '\u{1f600}', 'é', '~', 'null',
  'true', 'True', 'no', '0', '1', '-1', '+1', '01', '0x1f', '0o17', '1.5', '.5', '1e3', '.inf', '2020-01-01', '00:16:3e:00:00:01', '10.0.0.1/24',
  'limits.cpu', 'limits.memory', 'devices', 'config', 'spec', 'metadata', 'name', 'kind', 'type', '__proto__', 'constructor', 'a', 'b: c', '\\', '\\n',
]; // prettier-ignore

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 12 })),
  insert: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...PIECES) }, fc.string({ unit: 'binary', maxLength: 6 }), fc.constant('')),
});

/** Texts near those of the corpus: a stretch of one, with up to six changes. */
export function nearCorpus(): fc.Arbitrary<string> {
  const texts = corpus();
  const stretch = fc.tuple(fc.constantFrom(...texts), fc.nat({ max: 2000 }), fc.oneof(fc.constant(4000), fc.nat({ max: 600 })));
  return fc.tuple(stretch, fc.array(edit, { maxLength: 6 })).map(([[text, skip, length], edits]) => {
    const lines = text.split('\n');
    const from = skip % lines.length;
    return edits.reduce(applied, lines.slice(from).join('\n').slice(0, length));
  });
}

function applied(text: string, { at, remove, insert }: Edit): string {
  const position = Math.floor(at * text.length);
  return text.slice(0, position) + insert + text.slice(position + remove);
}
