import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlanChange, PlanReport } from '../../../src/api/types.ts';
import { planMarkdown, planText, summaryLine } from '../../../src/cli/plan-text.ts';
import type { Style } from '../../../src/cli/output.ts';
import { makeRef } from '../../../src/core/ref.ts';

const plain: Style = (_name, text) => text;

function change(name: string, verdict: PlanChange['verdict'], more: Partial<PlanChange> = {}): PlanChange {
  return { ref: makeRef('Instance', name), change: verdict, verdict, summary: verdict, fields: [], ...more };
}

function report(...changes: PlanChange[]): PlanReport {
  return { revisions: {}, changes, problems: [], unknown: [], hash: 'a' };
}

describe('a plan as text', () => {
  it('counts objects, not changes', () => {
    const plan = report(change('a', 'create'), change('a', 'power'), change('b', 'live'), change('b', 'live'), change('c', 'delete'));
    assert.equal(summaryLine(plan), 'Plan: 1 to create, 1 to change, 1 to delete.');
  });

  it('names what restarts and what is replaced', () => {
    const plan = report(change('a', 'restart'), change('b', 'restart'), change('c', 'recreate'));
    assert.equal(summaryLine(plan), 'Plan: 0 to create, 3 to change, 0 to delete. Of these, 1 is replaced and 2 restart.');
  });

  it('says when there is nothing to do', () => {
    assert.deepEqual(planText(report(), plain), ['No changes: the host is as declared.']);
  });

  it('heads each object with the sign of its weightiest change', () => {
    const signs = (['create', 'live', 'recreate', 'delete', 'restart', 'replug', 'repair', 'power'] as const).map((verdict) => {
      const [heading = ''] = planText(report(change('a', 'live'), change('a', verdict)), plain);
      return heading.trim().split(' ')[0];
    });
    assert.deepEqual(signs, ['+', '~', '-/+', '-', '!', '~', '~', '~']);
  });

  it('keeps the changes of an object together in the order of the plan', () => {
    const text = planText(
      report(change('a', 'live', { summary: 'first' }), change('b', 'live'), change('a', 'live', { summary: 'second' })),
      plain,
    );
    const at = (part: string) => text.findIndex((line) => line.includes(part));
    assert.ok(at('"a"') < at('first') && at('first') < at('second') && at('second') < at('"b"'));
  });

  it('shows a value that is taken away, one that is set, and one that changes', () => {
    const fields = [
      { field: 'x', from: '1' },
      { field: 'y', to: '2' },
      { field: 'z', from: '3', to: '4' },
    ];
    const text = planText(report(change('a', 'live', { fields })), plain).map((line) => line.trim());
    for (const line of ['x: 1 -> (not set)', 'y: 2', 'z: 3 -> 4']) assert.ok(text.includes(line), line);
  });
});

describe('a plan as markdown', () => {
  it('cannot be broken out of by what a manifest holds', () => {
    const text = planMarkdown(report(change('a', 'live', { summary: 'x\n```\n# owned' })));
    assert.equal(text.filter((line) => line.startsWith('```')).length, 2);
    assert.ok(text.every((line) => !line.startsWith('#') || line === '### Lockstep plan'));
  });

  it('escapes markup in problems', () => {
    const at = { file: 'a.yaml', line: 1, column: 1, endLine: 1, endColumn: 2 };
    const plan = { ...report(), problems: [{ ...at, severity: 'error' as const, rule: 'r', field: '', message: '<b>[x](y)' }] };
    assert.equal(planMarkdown(plan).at(-1), '- a.yaml:1:1: error: \\<b\\>\\[x\\](y)');
  });
});
