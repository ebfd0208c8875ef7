// When an instance is started, stopped, and left alone.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Bench, NAME } from './fixture.ts';

async function running(spec = ''): Promise<Bench> {
  const bench = new Bench().declare(spec);
  await bench.converge();
  return bench;
}

describe('the declared state', () => {
  it('Stopped shuts a running instance down, and does nothing more', async () => {
    const bench = await running();
    bench.declare('  state: Stopped');
    assert.deepEqual(await bench.converge(), ['configure', 'shutdown']);
    assert.equal((await bench.condition()).reason, 'Stopped');
    assert.equal((await bench.condition()).ready, true);
  });

  it('Running starts one that was declared Stopped, also with the policy Never', async () => {
    const bench = await running('  restart: { policy: Never }');
    bench.declare('  restart: { policy: Never }\n  state: Stopped');
    await bench.converge();
    bench.declare('  restart: { policy: Never }');
    assert.deepEqual(await bench.converge(), ['configure', 'start']);
    assert.deepEqual(await bench.names(), []);
  });

  it('Frozen freezes, Running thaws, Stopped thaws before it shuts down', async () => {
    const bench = await running();
    bench.declare('  state: Frozen');
    assert.deepEqual(await bench.converge(), ['configure', 'freeze']);
    bench.declare('');
    assert.deepEqual(await bench.converge(), ['configure', 'unfreeze']);
    bench.declare('  state: Frozen');
    await bench.converge();
    bench.declare('  state: Stopped');
    assert.deepEqual(await bench.converge(), ['configure', 'unfreeze', 'shutdown']);
  });
});

describe('an instance that ended', () => {
  it('is started again at once with the policy Always, also after a poweroff from inside', async () => {
    const bench = await running();
    for (const end of [() => bench.lxc.crash(NAME), () => bench.lxc.poweroff(NAME)]) {
      end();
      const [step] = await bench.plan();
      assert.deepEqual([step?.change.do, step?.notBefore], ['start', undefined]);
      await bench.converge();
    }
  });

  it('waits longer after each exit, up to a minute, and forgets exits after ten minutes', async () => {
    const bench = await running();
    bench.lxc.crash(NAME);
    const delays: number[] = [];
    for (let count = 1; count <= 10; count++) {
      bench.exits = Array.from({ length: count }, (_, at) => bench.now - (count - 1 - at) * 1000);
      delays.push(((await bench.plan())[0]?.notBefore ?? bench.now) - bench.now);
    }
    assert.deepEqual(delays, [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    bench.exits = [bench.now - 700_000, bench.now - 600_001, bench.now];
    assert.equal((await bench.plan())[0]?.notBefore, undefined);
  });

  it('stays down after a clean poweroff with the policy OnFailure, and says so', async () => {
    const bench = await running('  restart: { policy: OnFailure }');
    bench.lxc.poweroff(NAME);
    assert.deepEqual(await bench.names(), []);
    assert.deepEqual([(await bench.condition()).ready, (await bench.condition()).reason], [false, 'StoppedByGuest']);
    bench.lxc.facts.directories.get(NAME)!.exit = { at: bench.now, code: 1 };
    assert.deepEqual(await bench.names(), ['start']);
  });

  it('stays down with the policy Never, until its manifest changes', async () => {
    const bench = await running('  restart: { policy: Never }');
    bench.lxc.crash(NAME);
    assert.deepEqual(await bench.names(), []);
    bench.declare('  restart: { policy: Never }\n  config: { environment.A: b }');
    assert.deepEqual(await bench.converge(), ['configure', 'start']);
  });

  it('is tried again with the policy Never when it never came up', async () => {
    const bench = new Bench().declare('  restart: { policy: Never }');
    bench.lxc.failingStarts.set(NAME, 'no such file');
    await assert.rejects(bench.converge(), { code: 'LXC_START_FAILED' });
    assert.deepEqual(await bench.names(), ['start']);
  });

  it('is not started while its monitor lives', async () => {
    const bench = await running();
    bench.lxc.facts.monitors.get(NAME)!.initPid = undefined;
    assert.deepEqual(await bench.names(), []);
    assert.equal((await bench.condition()).ready, false);
  });
});

describe('a boot of the host', () => {
  it('starts an instance that ran, whatever its policy', async () => {
    for (const policy of ['Always', 'OnFailure', 'Never']) {
      const bench = await running(`  restart: { policy: ${policy} }`);
      bench.lxc.hostReboot();
      bench.firstLookSinceBoot = true;
      assert.ok((await bench.names()).includes('start'), policy);
    }
  });

  it('leaves it stopped with boot.autostart false, also at later looks, until it is changed', async () => {
    const bench = await running('  config: { boot.autostart: "false" }');
    bench.lxc.hostReboot();
    bench.bootId = 'boot-2';
    bench.firstLookSinceBoot = true;
    assert.deepEqual(await bench.converge(), ['configure']);
    bench.firstLookSinceBoot = false;
    assert.deepEqual(await bench.names(), []);
    assert.equal((await bench.condition()).reason, 'HeldAfterBoot');
    bench.declare('  config: { boot.autostart: "false", security.nesting: "true" }');
    assert.deepEqual(await bench.converge(), ['configure', 'start']);
  });

  it('starts what it should start also when the first look could not', async () => {
    const bench = await running('  restart: { policy: OnFailure }');
    bench.lxc.poweroff(NAME);
    bench.firstLookSinceBoot = true;
    const [configure, start] = await bench.plan();
    assert.deepEqual([configure?.change.do, start?.change.do], ['configure', 'start']);
    await bench.apply(configure!.change);
    bench.firstLookSinceBoot = false;
    assert.deepEqual(await bench.names(), ['start']);
    await bench.converge();
    bench.lxc.poweroff(NAME);
    assert.deepEqual(await bench.names(), [], 'only once for that boot');
  });
});
