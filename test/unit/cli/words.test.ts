import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { parseDuration } from '../../../src/cli/duration.ts';
import { ClientError } from '../../../src/cli/errors.ts';
import { messages } from '../../../src/cli/event-follow.ts';
import { findKind, normalizeObject, shortRef, spellOut } from '../../../src/cli/kind-words.ts';
import { KIND_NAMES, makeRef } from '../../../src/core/ref.ts';

const usage = (error: unknown) => error instanceof ClientError && error.options.exitCode === 64;

describe('words for kinds', () => {
  it('takes every kind in any case, singular and plural', () => {
    for (const kind of KIND_NAMES) {
      for (const word of [kind, kind.toLowerCase(), `${kind}s`, kind.toUpperCase()]) assert.equal(findKind(word), kind, word);
    }
    assert.equal(findKind('storage-pools'), 'StoragePool');
    assert.equal(findKind('acl'), 'NetworkACL');
    assert.equal(findKind('pod'), undefined);
    assert.equal(findKind('constructor'), undefined);
  });
});

describe('names of objects', () => {
  it('spells the kind as the daemon knows it and leaves the rest alone', () => {
    assert.equal(normalizeObject('web'), 'web');
    assert.equal(normalizeObject('pool/fast'), 'StoragePool/fast');
    assert.throws(() => normalizeObject('pod/x'), usage);
  });

  it('spells out what the daemon does not list', () => {
    assert.deepEqual(spellOut('web', undefined), makeRef('Instance', 'web'));
    assert.deepEqual(spellOut('web', 'shop'), makeRef('Instance', 'web', { project: 'shop' }));
    assert.deepEqual(spellOut('pool/fast', 'shop'), makeRef('StoragePool', 'fast'));
    assert.deepEqual(spellOut('volume/fast/data', undefined), makeRef('StorageVolume', 'data', { parent: 'fast' }));
    assert.deepEqual(spellOut('instance/shop/-/web', undefined), makeRef('Instance', 'web', { project: 'shop' }));
    for (const text of ['volume/data', 'instance/a/b', 'instance/', 'pool/a/b/c/d'])
      assert.throws(() => spellOut(text, undefined), usage, text);
  });

  it('shows project and parent only where they matter', () => {
    assert.equal(shortRef(makeRef('Instance', 'web')), 'Instance/web');
    assert.equal(shortRef(makeRef('StorageVolume', 'data', { project: 'shop', parent: 'fast' })), 'StorageVolume/shop/fast/data');
  });
});

describe('durations', () => {
  it('are milliseconds', () => {
    assert.deepEqual(['30s', '5m', '1h30m'].map(parseDuration), [30_000, 300_000, 5_400_000]);
  });

  it('need a unit, and an end', () => {
    for (const text of ['5', '', 'soon', '0s', '8d', '-1s', '1.5m']) assert.throws(() => parseDuration(text), usage, text);
  });
});

describe('a stream of server-sent events', () => {
  async function read(...chunks: string[]) {
    const seen: unknown[] = [];
    for await (const message of messages(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))) seen.push(message);
    return seen;
  }

  it('is read across chunks, comments left out', async () => {
    assert.deepEqual(await read(': hi\n\nid: 1\nevent: cha', 'nge\ndata: {"a"', ':1}\n\n:\n\n'), [{ event: 'change', data: '{"a":1}' }]);
  });

  it('joins lines of data and drops a message that was cut off', async () => {
    assert.deepEqual(await read('data: a\ndata: b\n\nevent: x\ndata: half'), [{ event: 'message', data: 'a\nb' }]);
  });
});
