import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { KeptLinks } from '../../../src/host/kept-links.ts';
import { MemoryNetwork } from '../../fakes/memory-network.ts';

function kept(): { network: MemoryNetwork; links: KeptLinks; calls: () => string[] } {
  const network = new MemoryNetwork();
  const links = new KeptLinks(network);
  network.onLinkChange((link) => links.changed(link));
  for (const name of ['br0', 'br1', 'v0', 'v1']) network.plug({ name, type: name.startsWith('br') ? 'bridge' : 'veth' });
  return { network, links, calls: () => network.calls.splice(0).filter((one) => one === 'links' || one === 'someLinks') };
}

/** As the kernel does it: told with the new name. */
function rename(network: MemoryNetwork, from: string, to: string): void {
  const link = network.facts.links.get(from);
  if (link === undefined || network.facts.links.has(to)) return;
  network.facts.links.delete(from);
  network.facts.links.set(to, { ...link, name: to });
  for (const port of network.facts.links.values()) if (port.master === from) port.master = to;
  network.change(to, {});
}

describe('kept links', () => {
  test('as long as nobody says which links change, all are listed at every look', async () => {
    const { links, calls } = kept();
    await links.read();
    await links.read();
    assert.deepEqual(calls(), ['links', 'links']);
  });

  test('only what has changed is read again, and nothing when nothing has', async () => {
    const { network, links, calls } = kept();
    links.follow();
    await links.read();
    network.change('v0', { master: 'br0' });
    network.unplug('v1');
    const { links: read } = await links.read();
    await links.read();
    assert.deepEqual(calls(), ['links', 'someLinks']);
    assert.equal(read.get('v0')?.master, 'br0');
    assert.deepEqual([...read.keys()].toSorted(), ['br0', 'br1', 'lo', 'v0']);
  });

  test('all are listed when anything may have changed, when a link was renamed, after a failure, and when many have changed', async () => {
    const { network, links, calls } = kept();
    links.follow();
    await links.read();
    links.changed('');
    await links.read();
    links.forget();
    await links.read();
    assert.deepEqual(calls(), ['links', 'links', 'links']);
    rename(network, 'br0', 'br9');
    assert.ok((await links.read()).links.has('br9'));
    assert.deepEqual(calls(), ['someLinks', 'links']);
    rename(network, 'br9', 'br0');
    network.unplug('br0');
    network.plug({ name: 'br0', type: 'bridge' });
    await links.read();
    rename(network, 'br0', 'br9');
    network.unplug('br9');
    assert.equal((await links.read()).links.has('br0'), false, 'it was renamed, and is gone');
    network.plug({ name: 'br0', type: 'bridge' });
    await links.read();
    calls();
    network.faults.set('someLinks', 'fail');
    network.change('v0', { mtu: 1400 });
    await assert.rejects(links.read());
    network.faults.clear();
    assert.equal((await links.read()).links.get('v0')?.mtu, 1400);
    assert.deepEqual(calls(), ['someLinks', 'links']);
    for (let at = 0; at < 65; at++) network.plug({ name: `w${at}` });
    await links.read();
    assert.deepEqual(calls(), ['links']);
  });

  test('whatever changes between, during and after readings, none of it is missed', async () => {
    const name = fc.constantFrom('br0', 'br1', 'v0', 'v1', 'v2');
    const action = fc.oneof(
      fc.record({ do: fc.constant('plug' as const), name }),
      fc.record({ do: fc.constant('unplug' as const), name }),
      fc.record({ do: fc.constant('change' as const), name, master: fc.constantFrom(undefined, 'br0', 'br1') }),
      fc.record({ do: fc.constant('rename' as const), name, to: name }),
      fc.record({ do: fc.constant('lose' as const), name }),
      fc.record({ do: fc.constant('break' as const), name }),
      fc.record({ do: fc.constant('read' as const), name }),
      fc.record({ do: fc.constant('answer' as const), name, which: fc.nat({ max: 5 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
        const { network } = kept();
        /** Answers that are on their way: each tells what was so when it was asked for, and they arrive in any order. */
        const answers: (() => void)[] = [];
        const late = async <Answer>(answer: Promise<Answer>): Promise<Answer> => {
          const { promise, resolve } = Promise.withResolvers<void>();
          answers.push(resolve);
          const [value] = await Promise.all([answer, promise]);
          return value;
        };
        const links = new KeptLinks({
          links: () => late(network.links()),
          someLinks: (names) => late(network.someLinks(names)),
          presentLinks: (names) => late(network.presentLinks(names)),
        });
        network.onLinkChange((link) => links.changed(link));
        links.follow();
        const readings: Promise<unknown>[] = [];
        for (const one of actions) {
          const there = network.facts.links.has(one.name);
          if (one.do === 'read') readings.push(links.read().catch(() => {}));
          else if (one.do === 'answer') {
            answers.splice(one.which, 1)[0]?.();
            await new Promise(setImmediate);
          } else if (one.do === 'rename') rename(network, one.name, one.to);
          else if (one.do === 'unplug') network.unplug(one.name);
          else if (one.do === 'lose') {
            // A change whose event was lost, which is told as such.
            const link = network.facts.links.get(one.name);
            if (link !== undefined) link.mtu++;
            links.changed('');
          } else if (one.do === 'break') {
            network.faults.set('someLinks', 'fail');
            readings.push(links.read().catch(() => {}));
            network.faults.clear();
          } else if (one.do === 'change' && there) {
            const { master } = one;
            if (master === undefined || network.facts.links.has(master)) network.change(one.name, { master });
          } else if (one.do === 'plug' && !there) network.plug({ name: one.name });
        }
        const answering = setInterval(() => answers.splice(0).forEach((answer) => answer()));
        await Promise.all(readings);
        const last = await links.read();
        clearInterval(answering);
        assert.deepEqual(last, await network.links());
      }),
      { numRuns: 500 },
    );
  });
});
