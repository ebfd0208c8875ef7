import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlanChange, PlanCounts, PlanReport } from '../../../src/api/types.ts';
import { lineDiff } from '../../../src/cli/line-diff.ts';
import { planDiff } from '../../../src/cli/plan-diff.ts';
import { planMarkdown } from '../../../src/cli/plan-markdown.ts';
import { planText } from '../../../src/cli/plan-text.ts';
import { summaryLine } from '../../../src/cli/plan-view.ts';
import type { Style } from '../../../src/cli/output.ts';
import { makeRef } from '../../../src/core/ref.ts';

const plain: Style = (_name, text) => text;
const marked: Style = (name, text) => `<${name}>${text}</>`;

function change(name: string, verdict: PlanChange['verdict'], more: Partial<PlanChange> = {}): PlanChange {
  return { ref: makeRef('Instance', name), change: verdict, verdict, summary: verdict, fields: [], ...more };
}

const NONE: PlanCounts = { create: 0, change: 0, restart: 0, recreate: 0, delete: 0, unchanged: 0 };

function report(changes: readonly PlanChange[], counts: Partial<PlanCounts> = { change: 1 }): PlanReport {
  return {
    revisions: {},
    counts: { ...NONE, ...counts },
    changes,
    unchanged: [],
    problems: [],
    unknown: [],
    confirmations: [],
    objects: [],
    hash: 'a',
  };
}

function text(...changes: PlanChange[]): string[] {
  return planText(report(changes), plain, { verbose: false });
}

describe('a plan as text', () => {
  it('sums up what restarts and what is replaced', () => {
    assert.equal(
      summaryLine(report([], { create: 2, change: 3, restart: 2, recreate: 1 })),
      'Plan: 2 to create, 3 to change (2 restart, 1 is replaced), 0 to delete.',
    );
    assert.equal(summaryLine(report([], { change: 1, restart: 1 })), 'Plan: 0 to create, 1 to change (1 restarts), 0 to delete.');
  });

  it('says before its last line which deletions will wait for a person, and what that person has to do', () => {
    const confirmation = {
      source: 'prod',
      objects: [makeRef('Instance', 'a')],
      protected: [makeRef('Instance', 'b')],
      reason: '1 object\u001b of it.',
      command: 'lockstep confirm prod',
    };
    const only = { ...confirmation, objects: [], command: 'lockstep confirm prod --unprotect' };
    const told = { ...report([change('a', 'delete')], { delete: 1 }), confirmations: [confirmation, only] };
    assert.deepEqual(planText(told, plain, { verbose: false }).slice(-6), [
      'Needs a confirmation: 1 object\\u001b of it. 1 more is protected and will stay.',
      '  Until somebody agrees, none of them is deleted. Once this is in force, run on the host: lockstep confirm prod',
      'Needs a confirmation: 1 object\\u001b of it.',
      '  Once this is in force, run on the host: lockstep confirm prod --unprotect (to have them deleted all the same)',
      '',
      'Plan: 0 to create, 0 to change, 1 to delete.',
    ]);
    const markdown = planMarkdown(told).join('\n');
    assert.match(markdown, /^> \[!CAUTION\]\n> - \*\*Needs a confirmation:\*\* .*lockstep confirm prod$/m);
  });

  it('says when there is nothing to do, and does not say so of what cannot be read', () => {
    assert.deepEqual(planText(report([], NONE), plain, { verbose: false }), ['No changes: the host is as declared.']);
    const unread = { ...report([], NONE), unknown: [{ ref: makeRef('Instance', 'a'), because: 'x' }] };
    assert.equal(summaryLine(unread), 'No changes to what can be read. 1 cannot be read.');
  });

  it('heads each object with the sign of its weightiest change', () => {
    const signs = (['create', 'live', 'recreate', 'delete', 'restart', 'replug', 'repair', 'power'] as const).map((verdict) => {
      const [, , heading = ''] = text(change('a', 'live'), change('a', verdict));
      return heading.trim().split(' ')[0];
    });
    assert.deepEqual(signs, ['+', '~', '-/+', '-', '!', '~', '~', '~']);
  });

  it('keeps the changes of an object together in the order of the plan', () => {
    const lines = text(change('a', 'live', { summary: 'first' }), change('b', 'live'), change('a', 'live', { summary: 'second' }));
    const at = (part: string) => lines.findIndex((line) => line.includes(part));
    assert.ok(at('"a"') < at('first') && at('first') < at('second') && at('second') < at('"b"'));
  });

  it('signs and colours a value that is set, one that changes and one that is taken away', () => {
    const fields = [
      { field: 'x', from: '1' },
      { field: 'y', to: '2' },
      { field: 'z', from: '3', to: '4' },
      { field: 'empty', from: '', to: '5' },
      { field: 'fingerprint', from: 'abc', knownAfterApply: true as const },
    ];
    const lines = text(change('a', 'live', { fields })).map((line) => line.trim());
    for (const line of ['- x: 1', '+ y: 2', '~ z: 3 -> 4', '~ empty: "" -> 5', '~ fingerprint: abc -> (known after apply)'])
      assert.ok(lines.includes(line), line);
    const coloured = planText(report([change('a', 'live', { fields })]), marked, { verbose: false });
    for (const sign of ['<red>-</>', '<green>+</>', '<yellow>~</>'])
      assert.ok(
        coloured.some((line) => line.trim().startsWith(sign)),
        sign,
      );
  });

  it('never shows a secret, only what becomes of it', () => {
    const fields = [
      { field: 'a', secret: true as const, to: 'hunter2' },
      { field: 'b', secret: true as const, from: 'hunter2', to: 'hunter3' },
      { field: 'c', secret: true as const, from: 'hunter2' },
    ];
    const lines = text(change('a', 'live', { fields }));
    assert.ok(!lines.join('\n').includes('hunter'));
    for (const line of ['+ a: (secret)', '~ b: (secret, changed)', '- c: (secret, taken away)'])
      assert.ok(
        lines.some((each) => each.trim() === line),
        line,
      );
  });

  it('names a field once, at the change that weighs more', () => {
    const fields = [{ field: 'x', from: '1', to: '2' }];
    const lines = text(change('a', 'live', { fields, summary: 'light' }), change('a', 'restart', { fields, summary: 'heavy' }));
    assert.equal(lines.filter((line) => line.includes('x: 1')).length, 1);
    assert.ok(lines.findIndex((line) => line.includes('heavy')) < lines.findIndex((line) => line.includes('x: 1')));
  });

  it('shows objects that change alike as one, and each by itself when asked', () => {
    const many = Array.from({ length: 100 }, (_, index) => change(`w${index}`, 'live', { file: `${index}.yaml`, line: 1 }));
    const folded = planText(report(many, { change: 100 }), plain, { verbose: false });
    assert.ok(folded.length < 10, folded.join('\n'));
    assert.ok(folded.some((line) => line.startsWith('  ~ 100 x Instance "w0", "w1"') && line.endsWith('and 94 more')));
    const full = planText(report(many, { change: 100 }), plain, { verbose: true });
    assert.ok(full.some((line) => line === '  ~ Instance "w99"  99.yaml:1'));
  });

  it('does not fold objects whose old values differ', () => {
    const many = Array.from({ length: 9 }, (_, index) =>
      change(`w${index}`, 'live', { fields: [{ field: 'x', from: `${index}`, to: 'y' }] }),
    );
    assert.equal(text(...many).filter((line) => line.includes('-> y')).length, 9);
  });

  it('cuts long values and long diffs, unless asked not to', () => {
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index}`).join('\n');
    const one = change('a', 'live', {
      fields: [
        { field: 'long', to: 'x'.repeat(5000) },
        { field: 'lines', to: lines },
      ],
    });
    assert.ok(text(one).length < 60);
    assert.ok(text(one).every((line) => line.length < 200));
    assert.ok(planText(report([one]), plain, { verbose: true }).length > 500);
  });

  it('shows what is pending anyway apart, and does not count it', () => {
    const lines = text(change('mine', 'create'), change('other', 'restart', { pending: true }));
    const at = lines.indexOf('With or without these manifests:');
    assert.ok(lines.findIndex((line) => line.includes('"mine"')) < at && at < lines.findIndex((line) => line.includes('"other"')));
    assert.match(lines.at(-1)!, /1 more is being changed anyway\.$/);
  });
});

describe('a difference of lines', () => {
  const signs = (from: string, to: string) => lineDiff(from, to).map(({ sign, text: line }) => `${sign}${line}`);

  it('keeps what is common', () => {
    assert.deepEqual(signs('a\nb\nc\n', 'a\nx\nc\nd\n'), [' a', '-b', '+x', ' c', '+d']);
    assert.deepEqual(signs('', 'a\nb'), ['+a', '+b']);
    assert.deepEqual(signs('a\nb', ''), ['-a', '-b']);
  });

  it('leaves out what is far from any change', () => {
    const lines = Array.from({ length: 20 }, (_, index) => `${index}`);
    const changed = lines.with(10, 'ten');
    assert.deepEqual(signs(lines.join('\n'), changed.join('\n')), ['@', ' 8', ' 9', '-10', '+ten', ' 11', ' 12', '@']);
  });

  it('stays quick on large texts that have nothing in common', () => {
    const many = (word: string) => Array.from({ length: 20_000 }, (_, index) => `${word} ${index}`).join('\n');
    const began = performance.now();
    assert.equal(lineDiff(many('a'), many('b')).length, 40_000);
    assert.ok(performance.now() - began < 2000);
  });
});

describe('a plan as a unified diff', () => {
  it('heads what is made and what is deleted with /dev/null', () => {
    const lines = planDiff(
      report([
        change('a', 'create', { file: 'a.yaml', line: 3, fields: [{ field: 'x', to: '1' }] }),
        change('b', 'delete', { fields: [{ field: 'x', from: '1' }] }),
      ]),
      plain,
    );
    assert.deepEqual(lines, [
      '--- /dev/null',
      '+++ a.yaml:3',
      '@@ create @@',
      '+x: 1',
      '--- host/Instance/default/-/b',
      '+++ /dev/null',
      '@@ delete @@',
      '-x: 1',
    ]);
  });
});

describe('a plan as markdown', () => {
  it('tells of deletes, replacements and restarts before all else', () => {
    const lines = planMarkdown(
      report([change('a', 'live'), change('b', 'restart', { downtime: 'about 2 s' }), change('c', 'recreate'), change('d', 'delete')]),
    );
    assert.deepEqual(lines.slice(2, 6), [
      '> [!WARNING]',
      '> - Instance "d" is deleted',
      '> - Instance "c" is replaced',
      '> - Instance "b" restarts (downtime about 2 s)',
    ]);
    assert.ok(lines.findIndex((line) => line.startsWith('**Plan:')) < lines.findIndex((line) => line.startsWith('<details')));
  });

  it('cannot be broken out of by what a manifest holds', () => {
    const evil = 'x\n```\n````\n</details>\n# owned @everyone';
    const fields = [{ field: evil, to: evil }];
    const lines = planMarkdown(report([change('</summary><b>@all', 'live', { summary: evil, fields })]));
    const fences = lines.filter((line) => /^`{3,}/.test(line));
    assert.equal(fences.length, 2);
    const [opening = '', closing = ''] = fences;
    const longest = Math.max(
      ...lines
        .filter((line) => !fences.includes(line))
        .flatMap((line) => line.match(/`+/g) ?? [''])
        .map((run) => run.length),
    );
    assert.ok(closing.length > longest && opening.startsWith(closing), 'no run of backticks inside is as long as the fence');
    const outside = [...lines.slice(0, lines.indexOf(opening)), ...lines.slice(lines.indexOf(closing) + 1)];
    assert.ok(outside.every((line) => !line.startsWith('#') || line === '### Lockstep plan'));
    assert.ok(
      outside.every((line) => !line.includes('<b>') && !line.includes('@all')),
      outside.join('\n'),
    );
  });

  it('escapes markup in problems', () => {
    const at = { file: 'a.yaml', line: 1, column: 1, endLine: 1, endColumn: 2 };
    const plan = { ...report([], NONE), problems: [{ ...at, severity: 'error' as const, rule: 'r', field: '', message: '<b>[x](y)' }] };
    assert.equal(planMarkdown(plan).at(-1), '- a.yaml:1:1: error: \\<b\\>\\[x\\](y)');
  });

  it('stays below what a forge takes, says how much is left out, and keeps the weightiest', () => {
    const many = Array.from({ length: 3000 }, (_, index) =>
      change(`w${index}`, index === 2999 ? 'restart' : 'live', { fields: [{ field: 'ü'.repeat(50), to: `${index}` }] }),
    );
    const lines = planMarkdown(report(many, { change: 3000, restart: 1 }));
    assert.ok(Buffer.byteLength(lines.join('\n')) < 65_536);
    assert.match(lines.at(-1)!, /^\d+ more blocks do not fit here/);
    assert.ok(lines.some((line) => line.includes('<code>!</code> Instance &#34;w2999&#34;')));
  });
});
