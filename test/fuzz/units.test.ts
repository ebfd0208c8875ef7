// Every notation of every option: no text makes it throw, what it says no to is explained, and writing down what was read gives what was read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatCpuAllowance, formatCpuLimit, formatCpuSet, parseCpuAllowance, parseCpuLimit, parseCpuSet } from '../../src/core/cpu.ts';
import * as units from '../../src/core/units.ts';
import { OPTION_SCOPES, optionsOf } from '../../src/schemas/registry.ts';
import { holds } from './budget.ts';

const PARTS = ['0', '1', '9', '10', '512', '1024', '18446744073709551616', 'k', 'K', 'M', 'G', 'Ti', 'i', 'B', 'bit', '%', '-', '+', '.', ',', ':', '/', ' ', 'ms', 's', 'm', 'h', 'd', 'unlimited', 'true', 'auto', 'none', '0x', 'e3', '\n', '::', '10.0.0.1', 'fd42::1', '/24', '@daily', '*', 'é', '\0']; // prettier-ignore

const words = fc.oneof(
  fc.array(fc.constantFrom(...PARTS), { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

test('no text makes an option throw, and what is refused is explained on one line', () => {
  const types = [...new Set(OPTION_SCOPES.flatMap((scope) => optionsOf(scope)).map((option) => option.type))];
  holds(fc.tuple(fc.constantFrom(...types), words), ([type, text]) => {
    const result = type.parse(text);
    if (!result.ok) assert.match(result.expected, /^[^\n]+$/, type.name);
    else if (type.multiline !== true) assert.doesNotMatch(text, /[\n\0]/, `${type.name} takes ${JSON.stringify(text)}`);
  });
});

function pair<T>(name: string, parse: (text: string) => units.Parsed<T>, format: (value: T) => string): [string, (text: string) => void] {
  return [
    name,
    (text) => {
      const read = parse(text);
      if (!read.ok) return;
      const again = parse(format(read.value));
      assert.ok(again.ok, `${name}: ${text} is written as ${format(read.value)}, which cannot be read`);
      assert.deepEqual(again.value, read.value, `${name}: ${text}`);
      assert.equal(format(again.value), format(read.value));
    },
  ];
}

const PAIRS = [
  pair('size', units.parseSize, units.formatSize),
  pair('rate', units.parseRate, units.formatRate),
  pair('percent', units.parsePercent, units.formatPercent),
  pair('size or percent', units.parseSizeOrPercent, units.formatSizeOrPercent),
  pair('boolean', units.parseBoolean, units.formatBoolean),
  pair('integer', (text) => units.parseInteger(text), units.formatInteger),
  pair('mode', units.parseMode, units.formatMode),
  pair('soft:hard', units.parseSoftHard, units.formatSoftHard),
  pair('duration', units.parseDuration, units.formatDuration),
  pair('cpu limit', parseCpuLimit, formatCpuLimit),
  pair('cpu set', parseCpuSet, formatCpuSet),
  pair('cpu allowance', parseCpuAllowance, formatCpuAllowance),
];

test('what is read, written and read again is the same, for every unit', () => {
  holds(fc.tuple(fc.constantFrom(...PAIRS), words), ([[, check], text]) => check(text));
});
