import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LiveTable } from '../../../src/cli/live-table.ts';
import { layOut, Output, type OutputOptions, type Style, wantsColor } from '../../../src/cli/output.ts';
import { age, clean, cut, width } from '../../../src/cli/text.ts';
import { makeRef } from '../../../src/core/ref.ts';

const plain: Style = (_name, text) => text;

function captured(options: Partial<OutputOptions> = {}, terminal = false) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY: terminal,
    columns: 40,
    rows: 8,
    write: (text: string) => (written[name] += text),
  });
  const output = new Output({
    format: 'table',
    color: true,
    quiet: false,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    ...options,
  });
  return { output, written };
}

describe('a table', () => {
  it('aligns columns by what they take on a terminal', () => {
    const rows = [
      [{ text: 'a' }, { text: 'x' }],
      [{ text: '日本' }, { text: 'y' }],
    ];
    assert.deepEqual(layOut(['N', 'V'], rows, 80, plain), ['N     V', 'a     x', '日本  y']);
  });

  it('cuts the last column where the terminal ends, and only there', () => {
    const [, row = ''] = layOut(['NAME', 'MESSAGE'], [[{ text: 'a-long-name' }, { text: 'm'.repeat(100) }]], 40, plain);
    assert.equal(width(row), 40);
    assert.ok(row.startsWith('a-long-name  mmm') && row.endsWith('…'));
  });

  it('is one uncut tab-separated line per row on a pipe, without control characters', () => {
    const { output, written } = captured();
    output.table(['A', 'B'], [[{ text: 'x\ty\n' }, { text: 'm'.repeat(200), style: 'red' }]]);
    assert.equal(written.stdout, `x y \t${'m'.repeat(200)}\n`);
  });
});

describe('output', () => {
  it('says what was done unless it is told to be quiet or to print data', () => {
    const loud = captured();
    loud.output.done('Done.');
    const quiet = captured({ quiet: true });
    quiet.output.done('Done.');
    quiet.output.note('Note.');
    const json = captured({ format: 'json' });
    json.output.done('Done.');
    assert.deepEqual([loud.written.stdout, quiet.written, json.written.stdout], ['Done.\n', { stdout: '', stderr: '' }, '']);
  });

  it('prints the same data as JSON and YAML', async () => {
    const value = { a: [1, 'x'], gone: undefined };
    const json = captured({ format: 'json' });
    assert.equal(await json.output.data(value), true);
    assert.deepEqual(JSON.parse(json.written.stdout), { a: [1, 'x'] });
    const yaml = captured({ format: 'yaml' });
    await yaml.output.data(value);
    assert.equal(yaml.written.stdout, 'a:\n  - 1\n  - x\n');
    assert.equal(await captured().output.data(value), false);
  });

  it('has colours on a terminal only, and not where they are not wanted', () => {
    const text = (terminal: boolean, color: boolean) => captured({ color }, terminal).output.style('red', 'x');
    assert.notEqual(text(true, true), 'x');
    assert.equal(text(true, false), 'x');
    assert.equal(text(false, true), 'x');
    assert.deepEqual(
      [wantsColor({}), wantsColor({ NO_COLOR: '1' }), wantsColor({ NO_COLOR: '' }), wantsColor({ TERM: 'dumb' })],
      [true, false, true, false],
    );
  });
});

describe('text from others', () => {
  it('cannot move the cursor, hide itself or change its direction', () => {
    assert.equal(clean('a\u001b[2Jb\u009bc\u202ed\r'), 'a\\u001b[2Jb\\u009bc\\u202ed\\u000d');
  });

  it('is cut by columns, not by characters', () => {
    assert.equal(cut('abcdef', 4), 'abc…');
    assert.equal(cut('日本語', 4), '日…');
    assert.equal(cut('abcd', 4), 'abcd');
  });

  it('tells ages in one unit', () => {
    const ages = [0, 59, 60, 7199, 7200, 172_800].map((seconds) => age(0, seconds * 1000));
    assert.deepEqual(ages, ['0s', '59s', '1m', '1h', '2h', '2d']);
  });
});

describe('the live table', () => {
  const status = (name: string, ready: boolean) => ({
    ref: makeRef('Instance', name),
    uid: name,
    source: 's',
    conditions: [{ type: 'Ready' as const, status: ready ? ('True' as const) : ('False' as const), reason: 'R', message: 'm', since: 0 }],
    summary: '',
    details: {},
  });

  it('shows what is not ready first when the screen is too small', () => {
    const { output, written } = captured({ color: false }, true);
    new LiveTable(output).show(['a', 'b', 'c', 'd', 'e', 'late'].map((name) => status(name, name !== 'late')));
    assert.match(written.stdout, /5 of 6 objects ready/);
    assert.ok(written.stdout.indexOf('Instance/late') < written.stdout.indexOf('Instance/a'));
    assert.match(written.stdout, /… and 2 more/);
  });

  it('draws nothing again when nothing has changed, and leaves an empty place behind', () => {
    const { output, written } = captured({ color: false }, true);
    const table = new LiveTable(output);
    table.show([status('a', true)]);
    const drawn = written.stdout;
    table.show([status('a', true)]);
    assert.equal(written.stdout, drawn);
    table.clear();
    assert.equal(written.stdout, `${drawn}\u001b[3A\r\u001b[0J`);
    table.clear();
    assert.equal(written.stdout, `${drawn}\u001b[3A\r\u001b[0J`);
  });
});
