import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatCpuAllowance, formatCpuLimit, parseCpuAllowance, parseCpuLimit } from '../../../src/core/cpu.ts';
import {
  formatBoolean,
  formatDuration,
  formatInteger,
  formatMode,
  formatPercent,
  formatRate,
  formatSize,
  formatSizeOrPercent,
  formatSoftHard,
  parseBoolean,
  parseDuration,
  type Parsed,
  parseInteger,
  parseMode,
  parsePercent,
  parseRate,
  parseSize,
  parseSizeOrPercent,
  parseSoftHard,
} from '../../../src/core/units.ts';

function good<T>(result: Parsed<T>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

test('reads sizes in the decimal and binary units of LXD', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['1024', 1024],
    ['10B', 10],
    ['10 bytes', 10],
    ['1kB', 1000],
    ['1KiB', 1024],
    ['10GB', 1e10],
    ['10GiB', 10 * 1024 ** 3],
    ['3TiB', 3 * 1024 ** 4],
  ];
  for (const [text, bytes] of cases) assert.equal(good(parseSize(text)), bytes, text);
});

test('refuses sizes that only look right', () => {
  for (const text of ['', '-1', '1.5GiB', '10gib', '10G', '10 GB extra', '1e3', '0x10', 'GiB', '9000PiB', '10GiB\n', ' 10GiB']) {
    assert.equal(parseSize(text).ok, false, JSON.stringify(text));
  }
});

test('a size written canonically is the same size', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
      assert.equal(good(parseSize(formatSize(bytes))), bytes);
    }),
  );
  assert.equal(formatSize(10 * 1024 ** 3), '10GiB');
  assert.equal(formatSize(1e10), '10GB');
});

test('formatting what was parsed is stable for every notation', () => {
  const limit = fc.oneof(fc.constant('unlimited'), fc.nat().map(String));
  const texts: [fc.Arbitrary<string>, (text: string) => Parsed<unknown>, (value: never) => string][] = [
    [fc.tuple(fc.nat({ max: 9999 }), fc.constantFrom('', 'B', 'kB', 'MiB', 'GB', 'TiB')).map(([n, u]) => n + u), parseSize, formatSize],
    [fc.tuple(fc.nat({ max: 9999 }), fc.constantFrom('', 'bit', 'kbit', 'Mbit', 'Gibit')).map(([n, u]) => n + u), parseRate, formatRate],
    [fc.integer({ min: 1, max: 100 }).map((n) => `${n}%`), parsePercent, formatPercent],
    [fc.constantFrom('yes', 'OFF', '1', 'true'), parseBoolean, formatBoolean],
    [fc.oneof(fc.integer().map(String), fc.constant('007')), parseInteger, formatInteger],
    [fc.constantFrom('50%', '512MiB', '1000MB'), parseSizeOrPercent, formatSizeOrPercent],
    [fc.tuple(limit, limit).map((pair) => pair.join(':')), parseSoftHard, formatSoftHard],
    [fc.nat({ max: 10_000_000 }).map((n) => `${n}s`), parseDuration, formatDuration],
    [fc.integer({ min: 0, max: 0o777 }).map((n) => n.toString(8).padStart(4, '0')), parseMode, formatMode],
    [fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 9 }).map((list) => `${list.join(',')},0`), parseCpuLimit, formatCpuLimit],
    [
      fc.tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 1000 })).map(([q, p]) => `${q}ms/${p}ms`),
      parseCpuAllowance,
      formatCpuAllowance,
    ],
  ];
  for (const [arbitrary, parse, format] of texts) {
    fc.assert(
      fc.property(arbitrary, (text) => {
        const first = parse(text);
        if (!first.ok) return;
        const canonical = format(first.value as never);
        const second = good(parse(canonical));
        assert.deepEqual(second, first.value);
        assert.equal(format(second as never), canonical);
      }),
    );
  }
});

test('no notation throws, whatever the text', () => {
  const parsers = [
    parseSize,
    parseRate,
    parsePercent,
    parseSizeOrPercent,
    parseSoftHard,
    parseDuration,
    parseMode,
    parseBoolean,
    parseCpuLimit,
    parseCpuAllowance,
  ];
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      for (const parse of parsers) {
        const result = parse(text);
        if (!result.ok) assert.notEqual(result.expected, '');
      }
    }),
  );
});

test('reads booleans as LXD does', () => {
  for (const text of ['true', '1', 'yes', 'on', 'TRUE', 'Yes']) assert.equal(good(parseBoolean(text)), true);
  for (const text of ['false', '0', 'no', 'off', 'Off']) assert.equal(good(parseBoolean(text)), false);
  for (const text of ['', 'yse', '2', 'null']) assert.equal(parseBoolean(text).ok, false);
});

test('an integer outside its range is refused with the range', () => {
  assert.deepEqual(parseInteger('11', { min: 0, max: 10 }), { ok: false, expected: 'a whole number from 0 to 10' });
  assert.equal(parseInteger('0x10').ok, false);
  assert.equal(parseInteger('010').ok, true);
  assert.equal(good(parseInteger('-0')), 0);
});

test('a soft limit may not exceed the hard one', () => {
  assert.deepEqual(good(parseSoftHard('1024:4096')), { soft: 1024, hard: 4096 });
  assert.deepEqual(good(parseSoftHard('10')), { soft: 10, hard: 10 });
  assert.deepEqual(good(parseSoftHard('10:unlimited')), { soft: 10, hard: 'unlimited' });
  for (const text of ['5:4', 'unlimited:4', '1:2:3', ':', '4:', 'x']) assert.equal(parseSoftHard(text).ok, false, text);
});

test('durations add up their parts', () => {
  assert.equal(good(parseDuration('1h30m')), 5400);
  assert.equal(good(parseDuration('7d')), 604_800);
  assert.equal(formatDuration(5400), '1h30m');
  for (const text of ['', '10', '1m1h', '1w', '-5s']) assert.equal(parseDuration(text).ok, false, text);
});

test('one number is a count of CPUs, and a range of one is that CPU', () => {
  assert.deepEqual(good(parseCpuLimit('2')), { count: 2 });
  assert.deepEqual(good(parseCpuLimit('2-2')), { set: [2] });
  assert.deepEqual(good(parseCpuLimit('5,0-3,2')), { set: [0, 1, 2, 3, 5] });
  assert.equal(formatCpuLimit({ set: [0, 1, 2, 3, 5] }), '0-3,5');
  for (const text of ['0', '3-1', '1,', '1-9999', '-1', 'all']) assert.equal(parseCpuLimit(text).ok, false, text);
});

test('a CPU allowance is a share or a quota in a period the kernel takes', () => {
  assert.deepEqual(good(parseCpuAllowance('50%')), { percent: 50 });
  assert.deepEqual(good(parseCpuAllowance('250ms/100ms')), { quotaMs: 250, periodMs: 100 });
  for (const text of ['0%', '101%', '25ms', '25/100', '0ms/100ms', '10ms/2000ms']) assert.equal(parseCpuAllowance(text).ok, false, text);
});
