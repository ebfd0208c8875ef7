// Deletes every statement, applier and effect of src/kinds/*/apply*.ts, one at a time in a copy of the project, and runs the tests that
// should notice. What survives is a line without a test. `npm run mutate [-- KIND...]`; ends with 1 below 80 %.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSync } from '@swc/core';

const PROJECT = join(import.meta.dirname, '..');
const REQUIRED = 0.8;
/** A test run that takes longer hangs because of the mutant: noticed. */
const LIMIT_MS = 120_000;

interface Mutant {
  readonly kind: string;
  readonly file: string;
  /** Bytes of the file. */
  readonly start: number;
  readonly end: number;
  /** What stands there instead. */
  readonly text: string;
  readonly line: number;
  readonly what: string;
}

interface Node {
  readonly type?: string;
  readonly span?: { readonly start: number; readonly end: number };
  readonly [key: string]: unknown;
}

const DELETED = new Set(['ExpressionStatement', 'IfStatement', 'ForOfStatement', 'ForStatement', 'TryStatement', 'ThrowStatement']);

function mutantsOf(kind: string): Mutant[] {
  const files = readdirSync(join(PROJECT, 'src/kinds', kind)).filter((file) => /^apply(?:-[a-z-]+)?\.ts$/.test(file));
  return files.flatMap((file) => mutantsIn(kind, `src/kinds/${kind}/${file}`));
}

function mutantsIn(kind: string, file: string): Mutant[] {
  const source = readFileSync(join(PROJECT, file));
  // Spans count from where the parser's own list of files has come to, and a module begins at its first token: one of our own.
  const first = '0;';
  const module = parseSync(first + source.toString(), { syntax: 'typescript', target: 'es2024' }) as unknown as Node;
  const base = (module.span?.start ?? 0) + first.length;
  const found: Mutant[] = [];
  const add = (node: Node, text: string, what: string): void => {
    if (node.span === undefined) return;
    const [start, end] = [node.span.start - base, node.span.end - base];
    if (start < 0) return;
    const before = source.subarray(0, start).toString();
    const line = before.split('\n').length;
    const shown = source.subarray(start, end).toString().replace(/\s+/g, ' ');
    found.push({ kind, file, start, end, text, line, what: `${what}: ${shown.slice(0, 90)}` });
  };
  visit(module, (node, insideFunction) => {
    if (insideFunction && DELETED.has(node.type ?? '')) add(node, '', 'without');
    if (node.type === 'ArrowFunctionExpression') {
      const body = node['body'] as Node;
      // The effect itself: a call that is all a function does. What makes functions is no effect.
      if (body.type === 'CallExpression' || body.type === 'AwaitExpression') add(body, 'undefined', 'no effect');
    }
    if (node.type === 'KeyValueProperty' && (node['value'] as Node).type === 'CallExpression') {
      const call = node['value'] as { callee?: { value?: string } };
      if (call.callee?.value === 'single') add(node['value'] as Node, "async () => 'done'", 'does nothing');
    }
  });
  return found;
}

function visit(node: unknown, look: (node: Node, insideFunction: boolean) => void, insideFunction = false): void {
  if (Array.isArray(node)) {
    for (const one of node) visit(one, look, insideFunction);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  const at = node as Node;
  if (at.type !== undefined) look(at, insideFunction);
  const inside = insideFunction || at.type === 'ArrowFunctionExpression' || at.type === 'FunctionDeclaration';
  for (const [key, value] of Object.entries(at)) if (key !== 'span') visit(value, look, inside);
}

function makeCopy(into: string): void {
  for (const part of ['src', 'test/unit', 'test/fakes', 'test/data', 'package.json', 'native/build']) {
    mkdirSync(join(into, part, '..'), { recursive: true });
    cpSync(join(PROJECT, part), join(into, part), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(into, 'node_modules'));
}

/** The quickest tests first: those of the kind, then those that run all kinds through the engine. */
function testsOf(kind: string): string[][] {
  return [[`test/unit/kinds/${kind}/**/*.test.ts`], ['test/unit/reconciler/law.test.ts']];
}

async function passes(directory: string, files: readonly string[]): Promise<boolean> {
  return await new Promise((resolve) => {
    const options = { cwd: directory, timeout: LIMIT_MS, maxBuffer: 2 ** 26 };
    execFile(process.execPath, ['--test', '--test-reporter=dot', ...files], options, (error) => resolve(error === null));
  });
}

async function survives(directory: string, { kind, file, start, end, text }: Mutant): Promise<boolean> {
  const path = join(directory, file);
  const original = readFileSync(join(PROJECT, file));
  writeFileSync(path, Buffer.concat([original.subarray(0, start), Buffer.from(text), original.subarray(end)]));
  try {
    for (const files of testsOf(kind)) if (!(await passes(directory, files))) return false;
    return true;
  } finally {
    writeFileSync(path, original);
  }
}

const known = readdirSync(join(PROJECT, 'src/kinds'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && readdirSync(join(PROJECT, 'src/kinds', entry.name)).includes('apply.ts'))
  .map((entry) => entry.name);
const asked = process.argv.slice(2);
const mutants = (asked.length > 0 ? asked : known).flatMap(mutantsOf);
const root = mkdtempSync(join(tmpdir(), 'lockstep-mutate-'));
try {
  const copies = Array.from({ length: Math.max(1, availableParallelism()) }, (_, index) => join(root, String(index)));
  for (const copy of copies) makeCopy(copy);
  for (const kind of new Set(mutants.map((mutant) => mutant.kind))) {
    // Tests that fail anyway would kill everything.
    for (const files of testsOf(kind)) {
      if (!(await passes(copies[0]!, files))) throw new Error(`The tests ${files.join(' ')} fail without any mutant.`);
    }
  }
  const left = [...mutants];
  const survivors: Mutant[] = [];
  await Promise.all(
    copies.map(async (copy) => {
      for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
        const survived = await survives(copy, mutant);
        if (survived) survivors.push(mutant);
        console.log(`${survived ? 'SURVIVED' : 'killed  '} ${mutant.file}:${mutant.line} ${mutant.what}`);
      }
    }),
  );
  for (const kind of new Set(mutants.map((mutant) => mutant.kind))) {
    const all = mutants.filter((mutant) => mutant.kind === kind).length;
    const killed = all - survivors.filter((mutant) => mutant.kind === kind).length;
    console.log(`${kind.padEnd(14)} ${killed} of ${all} killed`);
  }
  const score = mutants.length === 0 ? 0 : 1 - survivors.length / mutants.length;
  console.log(`score: ${(100 * score).toFixed(1)} % of ${mutants.length} (at least ${100 * REQUIRED} %)`);
  process.exitCode = score >= REQUIRED ? 0 : 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
