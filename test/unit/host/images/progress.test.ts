import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressOf } from '../../../../src/host/images/debian/progress.ts';

test('progress follows the lines of mmdebstrap and never goes back', () => {
  const seen: number[] = [];
  const listen = progressOf((_text, fraction) => seen.push(fraction ?? -1));
  for (const line of [
    'I: automatically chosen mode: root',
    'I: running apt-get update...',
    'I: downloading packages with apt...',
    'W: something',
    'I: extracting archives...',
    'I: installing essential packages...',
    'I: installing remaining packages inside the chroot...',
    'I: running --customize-hook in shell: ...',
    'I: running special hook: tar-in overlay.tar /',
    'I: cleaning package lists and apt cache...',
    'I: creating tarball...',
    'I: done',
  ]) {
    listen(line);
  }
  assert.ok(seen.length >= 7, `${seen.length} steps`);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(seen).size, seen.length);
  assert.ok(seen.every((fraction) => fraction > 0 && fraction < 1));
});
