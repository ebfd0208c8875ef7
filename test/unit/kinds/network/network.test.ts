import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { vethName } from '../../../../src/core/names.ts';
import type { NetworkChange } from '../../../../src/kinds/network/changes.ts';
import { networkKind } from '../../../../src/kinds/network/kind.ts';
import { MemoryNetwork } from '../../../fakes/memory-network.ts';
import { Killed, NetworkWorld, spec, UID } from './network-world.ts';

const BRIDGE = 'ls-lan';

async function running(desired = spec()): Promise<NetworkWorld> {
  const world = new NetworkWorld(new MemoryNetwork());
  await world.converge(desired);
  return world;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AppError, `expected an AppError, got ${String(error)}`);
  return error.code;
}

describe('making a network', () => {
  test('makes link, address, rules and server, and has nothing left to do', async () => {
    const world = await running();
    const link = world.network.facts.links.get(BRIDGE);
    assert.deepEqual(
      { ...link, index: 0 },
      {
        name: BRIDGE,
        index: 0,
        type: 'bridge',
        hwaddr: world.allocations.get('hwaddr:bridge'),
        mtu: 1500,
        up: true,
        master: undefined,
        alias: `lockstep:ls:${UID}`,
        addresses: ['10.20.0.1/24'],
      },
    );
    assert.deepEqual(world.network.facts.rules.get(BRIDGE), { bridge: BRIDGE, nat: ['10.20.0.0/24'], services: true, forward: true });
    assert.equal(world.network.facts.forwarding.ipv4, true);
    assert.deepEqual(world.network.facts.servers.get(BRIDGE)?.spec, {
      bridge: BRIDGE,
      address: '10.20.0.1/24',
      ranges: [{ first: '10.20.0.1', last: '10.20.0.254' }],
      leaseSeconds: 3600,
      domain: 'lxd',
      mtu: 1500,
      dhcp: true,
      dnsMode: 'managed',
    });
    assert.deepEqual(await world.plan(spec()), []);
  });

  test('picks a free subnet for auto once and keeps it', async () => {
    const auto = spec({ ipv4: { ...spec().ipv4!, address: 'auto' } });
    const world = await running(auto);
    const subnet = world.allocations.get('subnet4')!;
    assert.match(subnet, /^10\.\d+\.\d+\.0\/24$/);
    assert.deepEqual(world.network.facts.links.get(BRIDGE)?.addresses, [subnet.replace('.0/24', '.1/24')]);
    world.taken.set('subnet4', new Set([subnet]));
    assert.deepEqual(await world.plan(auto), []);
  });

  test('picks the same subnet for the same name, whatever its uid', async () => {
    const auto = spec({ ipv4: { ...spec().ipv4!, address: 'auto' } });
    const [one, other] = [new NetworkWorld(new MemoryNetwork()), new NetworkWorld(new MemoryNetwork())];
    other.uid = 'another';
    await Promise.all([one.plan(auto), other.plan(auto)]);
    assert.equal(one.allocations.get('subnet4'), other.allocations.get('subnet4'));
    assert.notEqual(one.allocations.get('hwaddr:bridge'), other.allocations.get('hwaddr:bridge'));
  });

  test('without an address has neither rules nor server nor forwarding', async () => {
    const plain = spec({ ipv4: undefined, dhcp4: false });
    const world = await running(plain);
    assert.equal(world.network.facts.rules.size, 0);
    assert.equal(world.network.facts.servers.size, 0);
    assert.equal(world.network.facts.forwarding.ipv4, false);
    assert.deepEqual(await world.plan(plain), []);
  });

  test('a declared hardware address comes in place of the picked one', async () => {
    const world = await running(spec({ hwaddr: '00:16:3e:aa:bb:cc' }));
    assert.equal(world.network.facts.links.get(BRIDGE)?.hwaddr, '00:16:3e:aa:bb:cc');
    assert.deepEqual(await world.plan(spec({ hwaddr: '00:16:3e:aa:bb:cc' })), []);
  });

  test('refuses a link of its name that is not ours, and leaves it as it is', async () => {
    const world = new NetworkWorld(new MemoryNetwork());
    const before = { ...world.network.plug({ name: BRIDGE, type: 'bridge', up: false, alias: undefined }) };
    await world.plan(spec());
    const changes = await world.plan(spec());
    assert.deepEqual(
      changes.map((change) => change.do),
      ['create'],
    );
    assert.equal(await codeOf(world.apply(changes[0]!)), 'NETWORK_FOREIGN');
    assert.deepEqual(world.network.facts.links.get(BRIDGE), before);
    await world.converge(undefined);
    assert.ok(world.network.facts.links.has(BRIDGE), 'a foreign link is not deleted');
  });

  test('takes a bridge of another uid for foreign', async () => {
    const world = await running();
    world.network.change(BRIDGE, { alias: 'lockstep:ls:another' });
    assert.equal(await codeOf(world.converge(spec())), 'NETWORK_FOREIGN');
  });

  test('marks a bridge that was made right before the daemon was killed', async () => {
    const world = await running();
    world.network.change(BRIDGE, { alias: undefined });
    assert.deepEqual(await world.converge(spec()), ['setAlias']);
    assert.equal(world.network.facts.links.get(BRIDGE)?.alias, `lockstep:ls:${UID}`);
  });
});

describe('making the bridge again', () => {
  async function createChange(world: NetworkWorld): Promise<NetworkChange> {
    const [change] = await new NetworkWorld(new MemoryNetwork()).plan(spec());
    assert.equal(change?.do, 'create');
    world.network.calls.length = 0;
    return change;
  }

  test('does nothing to one that is complete', async () => {
    const world = await running();
    const change = await createChange(world);
    await world.apply(change);
    assert.deepEqual(world.network.calls, ['links']);
  });

  test('marks one that was made without its mark', async () => {
    const world = await running();
    world.network.change(BRIDGE, { alias: undefined });
    await world.apply(await createChange(world));
    assert.equal(world.network.facts.links.get(BRIDGE)?.alias, `lockstep:ls:${UID}`);
  });

  test('says which link is in the way and how to remove it', async () => {
    const world = new NetworkWorld(new MemoryNetwork());
    const change = await createChange(world);
    world.network.plug({ name: BRIDGE });
    await assert.rejects(world.apply(change), (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.deepEqual(error.detail, { network: 'lan', link: BRIDGE });
      assert.match(error.message, /link "ls-lan"/);
      assert.match(error.hint ?? '', /ip link delete ls-lan/);
      return true;
    });
  });
});

describe('changing a network', () => {
  test('a new MTU changes the link and restarts the server', async () => {
    const world = await running();
    assert.deepEqual(await world.converge(spec({ mtu: 1400 })), ['setMtu', 'startDhcp']);
    assert.equal(world.network.facts.links.get(BRIDGE)?.mtu, 1400);
    assert.deepEqual(await world.plan(spec({ mtu: 1400 })), []);
  });

  test('a new address moves rules and server along', async () => {
    const world = await running();
    const moved = spec({ ipv4: { ...spec().ipv4!, address: '10.21.0.1/16' } });
    assert.deepEqual(await world.converge(moved), ['setAddresses', 'setFirewall', 'startDhcp']);
    assert.deepEqual(world.network.facts.rules.get(BRIDGE)?.nat, ['10.21.0.0/16']);
    assert.equal(world.network.facts.servers.get(BRIDGE)?.spec.ranges[0]?.last, '10.21.255.254');
  });

  test('NAT and firewall off removes all rules; NAT alone lets the rest out', async () => {
    const world = await running();
    const off = spec({ ipv4: { ...spec().ipv4!, nat: false, firewall: false } });
    assert.deepEqual(await world.converge(off), ['clearFirewall']);
    assert.equal(world.network.facts.rules.size, 0);
    await world.converge(spec({ ipv4: { ...spec().ipv4!, firewall: false } }));
    assert.deepEqual(world.network.facts.rules.get(BRIDGE), { bridge: BRIDGE, nat: ['10.20.0.0/24'], services: false, forward: false });
  });

  test('DHCP off keeps names; DHCP and names off ends the server', async () => {
    const world = await running();
    const namesOnly = spec({ ipv4: { ...spec().ipv4!, dhcp: false }, dhcp4: false });
    assert.deepEqual(await world.converge(namesOnly), ['startDhcp']);
    assert.deepEqual(world.network.facts.servers.get(BRIDGE)?.spec.ranges, []);
    const nothing = { ...namesOnly, dns: { mode: 'none', domain: 'lxd' } } as const;
    assert.deepEqual(await world.converge(nothing), ['stopDhcp']);
    assert.deepEqual(await world.plan(nothing), []);
  });
});

describe('repairing a network', () => {
  const damage: Record<string, { harm: (world: NetworkWorld) => void; changes: string[] }> = {
    'bridge down': { harm: ({ network }) => network.change(BRIDGE, { up: false }), changes: ['setUp'] },
    'address removed': { harm: ({ network }) => network.change(BRIDGE, { addresses: ['fe80::1/64'] }), changes: ['setAddresses'] },
    'address added': {
      harm: ({ network }) => network.change(BRIDGE, { addresses: ['10.20.0.1/24', '10.99.0.1/24'] }),
      changes: ['setAddresses'],
    },
    'MTU changed': { harm: ({ network }) => network.change(BRIDGE, { mtu: 9000 }), changes: ['setMtu'] },
    'hardware address changed': { harm: ({ network }) => network.change(BRIDGE, { hwaddr: '02:00:00:00:00:09' }), changes: ['setHwaddr'] },
    'rules flushed': { harm: ({ network }) => network.flushRules(), changes: ['setFirewall'] },
    'rules changed': { harm: ({ network }) => network.changeRules(BRIDGE), changes: ['setFirewall'] },
    'files of static leases spoilt': { harm: ({ network }) => void network.facts.spoiltHosts.add(BRIDGE), changes: ['rewriteHosts'] },
    'server killed': { harm: ({ network }) => network.killServer(BRIDGE), changes: ['startDhcp'] },
    'forwarding switched off': { harm: ({ network }) => (network.facts.forwarding.ipv4 = false), changes: ['enableForwarding'] },
    'bridge deleted': {
      harm: ({ network }) => network.unplug(BRIDGE),
      changes: ['create', 'setAddresses', 'setUp', 'startDhcp'],
    },
  };
  for (const [name, { harm, changes }] of Object.entries(damage)) {
    test(`${name}: ${changes.join(', ')}`, async () => {
      const world = await running();
      harm(world);
      assert.deepEqual(await world.converge(spec()), changes);
      assert.deepEqual(await world.plan(spec()), []);
    });
  }

  test('harm is called repair, a new network is not', async () => {
    const verdicts = async (world: NetworkWorld): Promise<string[]> =>
      (await world.plan(spec())).map((change) => `${change.do} ${networkKind.describe(change, undefined).verdict}`);
    assert.deepEqual(await verdicts(new NetworkWorld(new MemoryNetwork())), [
      'create create',
      'setAddresses live',
      'setUp live',
      'enableForwarding live',
      'setFirewall live',
      'startDhcp live',
    ]);
    const world = await running();
    world.network.change(BRIDGE, { up: false });
    world.network.changeRules(BRIDGE);
    world.network.killServer(BRIDGE);
    assert.deepEqual(await verdicts(world), ['setUp repair', 'setFirewall repair', 'startDhcp repair']);
  });

  test('link-local addresses are left to the kernel', async () => {
    const world = await running();
    world.network.change(BRIDGE, { addresses: ['10.20.0.1/24', 'fe80::216:3eff:fe00:1/64'] });
    assert.deepEqual(await world.plan(spec()), []);
  });

  test('puts the NICs of running instances back into a bridge that was deleted', async () => {
    const world = await running();
    const inside = vethName('ls', 'uid-1', 'eth0');
    const elsewhere = vethName('ls', 'uid-2', 'eth0');
    const stranger = 'veth1234';
    await world.network.setDhcpHost(BRIDGE, 'uid-1.eth0', { hwaddr: '00:16:3e:00:00:01', address: undefined, hostname: 'web' });
    await world.network.setDhcpHost(BRIDGE, 'uid-2.eth0', { hwaddr: '00:16:3e:00:00:02', address: undefined, hostname: 'db' });
    await world.network.setDhcpHost(BRIDGE, 'uid-3.eth0', { hwaddr: '00:16:3e:00:00:03', address: undefined, hostname: 'stopped' });
    world.network.plug({ name: inside, master: BRIDGE });
    world.network.plug({ name: elsewhere, master: 'ls-other' });
    world.network.plug({ name: stranger });
    world.network.unplug(BRIDGE);
    assert.deepEqual(await world.converge(spec()), ['create', 'setAddresses', 'setUp', 'attachPorts', 'startDhcp']);
    const { links } = world.network.facts;
    assert.equal(links.get(inside)?.master, BRIDGE);
    assert.equal(links.get(elsewhere)?.master, 'ls-other');
    assert.equal(links.get(stranger)?.master, undefined);
    assert.deepEqual(await world.plan(spec()), []);
  });

  test('a NIC that liblxc is just making is left to liblxc', async () => {
    const world = await running();
    await world.network.setDhcpHost(BRIDGE, 'uid-1.eth0', { hwaddr: '00:16:3e:00:00:01', address: undefined, hostname: 'web' });
    world.network.plug({ name: vethName('ls', 'uid-1', 'eth0'), up: false });
    assert.deepEqual(await world.plan(spec()), []);
  });

  test('a NIC that is gone by the time it is put back is no failure, another error is', async () => {
    const world = await running();
    await world.apply({ do: 'attachPorts', bridge: BRIDGE, ports: ['lsvgone'] });
    world.network.faults.set('setLink', 'fail');
    assert.equal(await codeOf(world.apply({ do: 'attachPorts', bridge: BRIDGE, ports: ['lsvgone'] })), 'NETWORK_FAILED');
  });
});

describe('deleting a network', () => {
  test('leaves nothing behind', async () => {
    const world = await running();
    await world.network.setDhcpHost(BRIDGE, 'uid-1.eth0', { hwaddr: '00:16:3e:00:00:01', address: undefined, hostname: 'web' });
    assert.deepEqual(await world.converge(undefined), ['delete']);
    const { links, rules, servers, hosts } = world.network.facts;
    assert.deepEqual([links.has(BRIDGE), rules.size, servers.size, hosts.size], [false, 0, 0, 0]);
    assert.deepEqual(await world.observe(), { is: 'absent' });
    assert.deepEqual(await world.plan(undefined), []);
  });

  test('is refused while a NIC is in the bridge, before anything is taken away', async () => {
    const world = await running();
    world.network.plug({ name: 'lsvabcdefghi', master: BRIDGE });
    await assert.rejects(world.converge(undefined), (error: unknown) => {
      assert.ok(error instanceof AppError && error.code === 'NETWORK_IN_USE');
      assert.deepEqual(error.detail, { network: 'lan', bridge: BRIDGE, ports: 1 });
      assert.match(`${error.message} ${error.hint}`, /lsvabcdefghi[^]*ip link set lsvabcdefghi nomaster/);
      return true;
    });
    const { links, rules, servers } = world.network.facts;
    assert.deepEqual([links.has(BRIDGE), rules.size, servers.size], [true, 1, 1]);
  });

  test('cleans up rules and server of a bridge that is already gone', async () => {
    const world = await running();
    world.network.unplug(BRIDGE);
    await world.converge(undefined);
    assert.deepEqual([world.network.facts.rules.size, world.network.facts.servers.size], [0, 0]);
  });

  test('leaves a link that took its name meanwhile', async () => {
    const world = await running();
    world.network.change(BRIDGE, { alias: 'someone else' });
    await world.converge(undefined);
    assert.ok(world.network.facts.links.has(BRIDGE));
    assert.equal(world.network.facts.rules.size, 0);
  });
});

describe('interruption', () => {
  for (const [from, to, name] of [
    [undefined, spec(), 'making'],
    [spec(), spec({ mtu: 1400, ipv4: { ...spec().ipv4!, address: '10.9.0.1/24', nat: false } }), 'changing'],
    [spec(), undefined, 'deleting'],
  ] as const) {
    test(`${name} ends in the same state after a kill before any step`, async () => {
      const whole = from === undefined ? new NetworkWorld(new MemoryNetwork()) : await running(from);
      whole.stepsDone = 0;
      await whole.converge(to);
      assert.ok(whole.stepsDone > 2);
      for (let kill = 0; kill < whole.stepsDone; kill++) {
        const world = from === undefined ? new NetworkWorld(new MemoryNetwork()) : await running(from);
        world.stepsLeft = kill;
        await assert.rejects(world.converge(to), Killed);
        world.stepsLeft = Number.POSITIVE_INFINITY;
        await world.converge(to);
        assert.deepEqual(await world.plan(to), [], `killed before step ${kill}`);
        assert.deepEqual(world.network.facts.rules, whole.network.facts.rules);
      }
    });
  }
});

describe('what cannot be read', () => {
  for (const method of ['links', 'firewall', 'dhcp', 'forwarding'] as const) {
    test(`a reading of ${method} that fails makes the network unknown`, async () => {
      const world = await running();
      world.network.faults.set(method, 'fail');
      assert.equal((await world.observe()).is, 'unknown');
    });
  }

  test('an empty listing of links is no proof of absence', async () => {
    const world = await running();
    world.network.faults.set('links', 'empty');
    assert.equal((await world.observe()).is, 'unknown');
  });

  test('no change holds for an unknown network', async () => {
    const world = await running();
    const because = new AppError('HOST_UNREADABLE');
    for (const change of await world.plan(spec({ mtu: 1400, hwaddr: '00:16:3e:01:01:01' }))) {
      assert.equal(networkKind.holds(change, { is: 'unknown', because }), false);
    }
  });

  test('before its first record a network is absent', async () => {
    const world = new NetworkWorld(new MemoryNetwork());
    assert.deepEqual(await world.observe(), { is: 'absent' });
  });
});

describe('what people see', () => {
  test('a foreign drop rule is told with the command that mends it', async () => {
    const world = await running();
    world.network.facts.conflicts.push({ bridge: BRIDGE, message: 'Dropped.', hint: 'Run: mend' });
    const seen = await world.observe();
    assert.ok(seen.is === 'present');
    const readiness = networkKind.condition(spec(), seen.actual, world.recorded, world.facts);
    assert.deepEqual(readiness, { ready: true, reason: 'FirewallConflict', message: 'Dropped. Run: mend' });
    assert.deepEqual(networkKind.details(seen.actual, world.recorded)['conflicts'], ['Dropped. Run: mend']);
  });

  test('every change has words', async () => {
    const world = await running();
    world.network.unplug(BRIDGE);
    world.network.flushRules();
    world.network.facts.forwarding.ipv4 = false;
    for (const change of await world.plan(spec({ hwaddr: '00:16:3e:01:01:01' }))) {
      assert.notEqual(networkKind.describe(change, undefined).verdict, 'delete');
      assert.match(networkKind.describe(change, undefined).summary, /^[a-z]/, change.do);
    }
    assert.equal(networkKind.describe({ do: 'delete', bridge: BRIDGE, alias: '', hwaddr: '' }, undefined).verdict, 'delete');
  });
});
