import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { isTombstoneName, tombstonePath, volumePath } from '../../../../src/host/storage/volume-layout.ts';

function isRefused(work: () => string): boolean {
  try {
    work();
    return false;
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error.code === 'NAME_INVALID';
  }
}

test('volumes lie where LXD puts them', () => {
  assert.equal(volumePath('/p', { type: 'container', name: 'team_web' }), '/p/containers/team_web');
  assert.equal(volumePath('/p', { type: 'image', name: 'f'.repeat(64) }), `/p/images/${'f'.repeat(64)}`);
  assert.equal(volumePath('/p', { type: 'custom', name: 'data' }), '/p/custom/data');
  assert.equal(tombstonePath('/p', '0199-ab.1700000000000'), '/p/.tombstones/0199-ab.1700000000000');
});

test('names that could leave their directory or look like an option are refused', () => {
  for (const name of ['', '.', '..', '../x', 'a/b', '-rf', '.hidden', 'a\nb', 'a\0b', 'x'.repeat(300), 'ünïcode']) {
    assert.ok(
      isRefused(() => volumePath('/p', { type: 'container', name })),
      JSON.stringify(name),
    );
    assert.ok(
      isRefused(() => tombstonePath('/p', name)),
      JSON.stringify(name),
    );
    assert.equal(isTombstoneName(name), false);
  }
  assert.ok(
    isRefused(() => volumePath('/p', { type: 'image', name: 'web' })),
    'an image volume is named by its fingerprint',
  );
  assert.ok(
    isRefused(() => tombstonePath('/p', 'uid')),
    'a tombstone has a time',
  );
});
