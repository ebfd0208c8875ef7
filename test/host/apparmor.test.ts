// Where the host has AppArmor, every container is confined by a profile of its own, whatever it may do besides.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { guest, guestCode, initPid, procFile } from './guest.ts';
import { needsRoot, slowness, startHost } from './harness.ts';
import { foundation, instance } from './manifests.ts';

function skipReason(): string | false {
  if (needsRoot !== false) return needsRoot;
  const file = '/sys/module/apparmor/parameters/enabled';
  const enabled = existsSync(file) && readFileSync(file, 'utf8').startsWith('Y') && existsSync('/sys/kernel/security/apparmor/profiles');
  return enabled ? false : 'the host has no AppArmor';
}

function profiles(): string[] {
  return readFileSync('/sys/kernel/security/apparmor/profiles', 'utf8').split('\n');
}

test(
  'every container is confined by a profile of its own, which goes with it',
  { skip: skipReason(), timeout: 120_000 * slowness },
  async (t) => {
    await using host = await startHost(t, { start: false });
    host.write('a.yaml', foundation(host.prefix, 'driver: dir'));
    const all = [
      instance('plain'),
      instance('nested', 'config: { security.nesting: "true" }'),
      instance('strong', 'config: { security.privileged: "true" }'),
      instance('both', 'config: { security.privileged: "true", security.nesting: "true" }'),
    ];
    host.write('b.yaml', all.join(''));
    await host.start();
    await host.waitReady();
    const names = ['plain', 'nested', 'strong', 'both'];

    const confinement = names.map((name) => procFile(initPid(host, name), 'attr/current').trim());
    assert.equal(new Set(confinement).size, names.length, confinement.join(', '));
    for (const [index, name] of names.entries()) {
      // lxc-NAME_<DIRECTORY>, with a namespace for what runs inside where nesting is allowed: lxc/lsm/apparmor.c.
      assert.match(confinement[index]!, new RegExp(`^lxc-${name}_<.*>(?://&:.*)? \\(enforce\\)`), name);
      // A command of ours is confined as init is; seen from inside, because a profile's namespace hides what is around it.
      const inside = await guest(host, name, 'cat', '/proc/1/attr/current', '/proc/self/attr/current');
      assert.equal(new Set(inside.split('\n')).size, 1, `${name}: ${inside}`);
    }
    assert.ok(profiles().some((line) => line.startsWith('lxc-plain_<')));

    // What the profile refuses to root of the host itself, which the privileged one is.
    assert.notEqual(await guestCode(host, 'strong', 'sh', '-c', 'echo 1 > /proc/sys/vm/drop_caches'), 0);
    assert.notEqual(await guestCode(host, 'strong', 'sh', '-c', 'mkdir -p /mnt/s && mount -t securityfs none /mnt/s'), 0);
    await guest(host, 'nested', 'sh', '-c', 'mkdir -p /mnt/p && mount -t proc none /mnt/p');

    host.remove('b.yaml');
    await host.eventually('the deletion asks to be confirmed', async () => (await host.status()).confirmations.length === 1);
    assert.equal((await host.lockstep('confirm', 'main', '--yes')).code, 0);
    await host.eventually('their profiles are gone', () => !profiles().some((line) => line.includes(host.paths.instances)));
  },
);
