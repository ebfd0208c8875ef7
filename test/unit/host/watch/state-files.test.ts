import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makePaths } from '../../../../src/core/paths.ts';
import { watchStateFiles } from '../../../../src/host/watch/state-files.ts';

describe('files of the state directory', () => {
  const root = mkdtempSync(join(tmpdir(), 'lockstep-watch-'));
  const paths = makePaths(join(root, 'state'), join(root, 'run'));
  const told: string[] = [];
  let end: () => void;

  before(() => {
    for (const directory of [paths.instances, paths.networks, paths.images, paths.pools, paths.disks])
      mkdirSync(directory, { recursive: true });
    for (const name of ['a', 'b']) mkdirSync(join(paths.instances, name));
    const nothing = (): void => undefined;
    end = watchStateFiles(paths, {
      instance: (name) => told.push(name),
      network: nothing,
      pools: nothing,
      images: nothing,
      everything: nothing,
      failed: assert.fail,
    });
  });
  after(() => {
    end();
    rmSync(root, { recursive: true });
  });

  const write = async (name: string): Promise<string[]> => {
    await sleep(100);
    told.length = 0;
    writeFileSync(join(paths.instances, name, 'config'), 'x');
    await sleep(100);
    return [...new Set(told)];
  };

  test('a directory is watched under its new name', async () => {
    renameSync(join(paths.instances, 'a'), join(paths.instances, 'z'));
    assert.deepEqual(await write('z'), ['z']);
  });

  test('a directory that is made again right after its removal is watched', async () => {
    renameSync(join(paths.instances, 'b'), join(paths.instances, '.removed.b.1'));
    mkdirSync(join(paths.instances, 'b'));
    assert.deepEqual(await write('b'), ['b']);
  });
});
