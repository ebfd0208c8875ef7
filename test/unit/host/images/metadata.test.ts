import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { parseMetadata } from '../../../../src/host/images/tarball/metadata.ts';

function refusal(text: string): string | undefined {
  try {
    parseMetadata(text);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'IMAGE_INVALID');
    return error.message;
  }
}

test('LXD metadata is read', () => {
  const text =
    'architecture: amd64\ncreation_date: 1700000000\nproperties:\n  os: Debian\n  release: 12\n  serial: "2024"\ntemplates: {}\n';
  assert.deepEqual(parseMetadata(text), {
    architecture: 'x86_64',
    createdAt: 1_700_000_000_000,
    properties: { os: 'Debian', release: '12', serial: '2024' },
  });
});

test('metadata without properties or date is taken', () => {
  assert.deepEqual(parseMetadata('architecture: aarch64\n'), { architecture: 'aarch64', createdAt: 0, properties: {} });
});

test('what could become a second line somewhere is refused', () => {
  assert.match(refusal('architecture: x86_64\nproperties: { signal.halt: "SIGINT\\nlxc.hook.start = x" }') ?? '', /signal.halt/);
  assert.ok(refusal('architecture: "x86_64\\nx"'));
  assert.ok(refusal('architecture: x86_64\nproperties: { "a b": c }'));
  assert.ok(refusal('architecture: x86_64\nproperties: { a: [1] }'));
});

test('what is no metadata is refused', () => {
  for (const text of ['', '[]', 'just text', 'properties: {}', '{', 'architecture: {a: b}']) assert.ok(refusal(text), text);
});

test('aliases that explode are refused', () => {
  let text = 'a: &a [x, x, x, x, x, x, x, x, x]\n';
  for (const [next, last] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf'].map((pair) => pair.split('')))
    text += `${next}: &${next} [${`*${last}, `.repeat(9)}]\n`;
  assert.ok(refusal(`${text}architecture: x86_64\n`));
});
