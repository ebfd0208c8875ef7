// The rows of the kill matrix: for every kind its create, changes, power and delete. What they stand on (pools, network, image, profile) is
// always there; a row adds or changes one file.
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../../../src/core/units.ts';
import type { TestHost } from '../harness.ts';
import { foundation, instance, subnetOf } from '../manifests.ts';
import type { Path, Situation } from './path.ts';

const MIB = 1024 ** 2;

export function base(prefix: string): string {
  return foundation(prefix, 'driver: btrfs, config: { size: 1GiB }') + object('StoragePool', 'plain', '{ driver: dir }');
}

export function object(kind: string, name: string, spec: string, metadata = ''): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name}${metadata} }\nspec: ${spec}\n---\n`;
}

/** A situation that is declared: the text of the row's file, or no such file. */
function declared(name: string, text: string | ((host: TestHost) => string)): Situation {
  return {
    name,
    enter: (host) => {
      const content = typeof text === 'string' ? text : text(host);
      if (content !== '') host.write('row.yaml', content);
      else if (existsSync(join(host.manifests, 'row.yaml'))) host.remove('row.yaml');
    },
  };
}

type Declared = readonly [name: string, text: string | ((host: TestHost) => string)];

function path(name: string, back: Declared, there: Declared, sample?: number): Path {
  return { name, back: declared(...back), there: declared(...there), ...(sample === undefined ? {} : { sample }) };
}

const web = (spec = ''): string => instance('web', spec);
const NOTHING = ['nothing', ''] as const;

export const paths: readonly Path[] = [
  path('Instance in a btrfs pool', NOTHING, ['there', web()], 6),
  path('Instance in a dir pool', NOTHING, ['there', web('devices: { root: { type: disk, path: /, pool: plain } }')]),
  path(
    'Instance, live change',
    ['small', web('config: { limits.memory: 64MiB, limits.processes: "100" }')],
    ['large', web('config: { limits.memory: 96MiB, limits.cpu.allowance: 50% }')],
    7,
  ),
  path(
    'Instance, size of its root',
    ['small', web('devices: { root: { type: disk, path: /, pool: fast, size: 64MiB } }')],
    ['large', web('devices: { root: { type: disk, path: /, pool: fast, size: 96MiB } }')],
  ),
  path(
    'Instance, address',
    ['dynamic', web()],
    ['static', (host) => web(`devices: { eth0: { type: nic, network: lan, ipv4.address: ${subnetOf(host.prefix)}.10 } }`)],
  ),
  path(
    'Instance, device',
    ['without', web()],
    ['with', web('devices: { null2: { type: unix-char, source: /dev/null, path: /dev/null2 } }')],
  ),
  path(
    'Instance, replug',
    [
      'some',
      web(
        'devices: { zero: { type: unix-char, source: /dev/zero, path: /dev/a }, tmp: { type: disk, source: "tmpfs:", path: /a }, host: { type: disk, source: /usr/share, path: /h, readonly: "true" } }',
      ),
    ],
    [
      'others',
      web(
        'devices: { zero: { type: unix-char, source: /dev/zero, path: /dev/b }, eth0: { type: nic, network: lan, mtu: "1400" }, more: { type: disk, source: "tmpfs:", path: /b }, host: { type: disk, source: /usr/sbin, path: /h, readonly: "true" } }',
      ),
    ],
  ),
  path('Instance, restart for a setting', ['plain', web()], ['nesting', web('config: { security.nesting: "true" }')], 5),
  path('Instance, power', ['running', web()], ['stopped', web('state: Stopped')]),
  path('Instance, freezer', ['running', web()], ['frozen', web('state: Frozen')], 5),
  path(
    'Instance, restart while frozen',
    ['plain', web('state: Frozen')],
    ['nesting', web('state: Frozen, config: { security.nesting: "true" }')],
  ),
  path(
    'Instance, a new root in another pool',
    ['fast', web('update: { recreate: Auto }, devices: { root: { type: disk, path: /, pool: fast } }')],
    ['plain', web('update: { recreate: Auto }, devices: { root: { type: disk, path: /, pool: plain } }')],
  ),
  path(
    'Instance, a new root from another image',
    ['one', (host) => madeFrom('busybox', host)],
    ['another', (host) => madeFrom('copy', host)],
  ),
  path('Instance, renamed', ['web', renamed('web', 'site')], ['site', renamed('site', 'web')]),
  deleteAndUndelete(),
  purge(),
  path('Profile, live change of who uses it', ['small', profiled('limits.memory: 64MiB')], ['large', profiled('limits.memory: 96MiB')]),
  path(
    'Profile, restart of who uses it',
    ['plain', profiled('security.nesting: "false"')],
    ['nesting', profiled('security.nesting: "true"')],
  ),
  path('Network', NOTHING, ['there', (host) => network(host, 'ipv4.nat: "true"')], 7),
  path(
    'Network, live change',
    ['one way', (host) => network(host, 'ipv4.nat: "true"')],
    ['another', (host) => network(host, 'ipv4.nat: "false", bridge.mtu: "1400", dns.domain: other', 2)],
  ),
  path(
    'Network, services',
    ['all', (host) => network(host, 'ipv4.nat: "true"')],
    ['none', (host) => network(host, 'ipv4.nat: "false", ipv4.dhcp: "false", dns.mode: none, ipv4.firewall: "false"')],
  ),
  path('StoragePool dir', NOTHING, ['there', object('StoragePool', 'more', '{ driver: dir }')]),
  path('StoragePool btrfs', NOTHING, ['there', object('StoragePool', 'more', '{ driver: btrfs, config: { size: 256MiB } }')], 3),
  growing(),
  path('Image', NOTHING, ['there', (host) => fileImage(host, 'a')]),
  path('Image, another version', ['first', (host) => fileImage(host, 'a')], ['second', (host) => fileImage(host, 'b')]),
];

function profiled(config: string): string {
  return object('Profile', 'small', `{ config: { ${config} }, devices: {} }`) + web('profiles: [default, small]');
}

export function network(host: TestHost, config: string, offset = 1): string {
  const [a, b, c = 0] = subnetOf(host.prefix).split('.').map(Number);
  return object('Network', 'two', `{ type: bridge, config: { ipv4.address: ${a}.${b}.${(c + offset) % 256}.1/24, ${config} } }`);
}

/** A pool only grows: each time it is a little larger. */
function growing(): Path {
  let size = 256 * MIB;
  const larger = (): string => {
    size += 16 * MIB;
    return object('StoragePool', 'more', `{ driver: btrfs, config: { size: ${formatSize(size)} } }`);
  };
  return path('StoragePool, grow', ['larger', larger], ['larger still', larger]);
}

/** The busybox image's own file, imported under another name. */
export function fileImage(host: TestHost, which: string): string {
  const file = join(host.root, `${which}.tar`);
  if (!existsSync(file)) {
    const stored = readdirSync(host.paths.images).find((name) => existsSync(join(host.paths.images, name, 'image.tar')));
    assert.ok(stored, 'the image is stored');
    cpSync(join(host.paths.images, stored, 'image.tar'), file);
    // Other bytes, so another fingerprint, and the same content: tar ignores zeros behind its end.
    appendFileSync(file, Buffer.alloc(512 * (which.charCodeAt(0) - 96)));
  }
  return object('Image', 'copy', `{ source: { file: ${file} } }`);
}

/** In the same pool: each former root is kept beside the others. */
function madeFrom(image: string, host: TestHost): string {
  return fileImage(host, 'a') + object('Instance', 'web', `{ image: ${image}, update: { recreate: Auto } }`);
}

/** The former name stays in the manifest, as it does in people's repositories. */
function renamed(name: string, former: string): string {
  return object('Instance', name, '{ image: busybox }', `, renamedFrom: ${former}`);
}

/** Deleted data that is ended before its time. */
function purge(): Path {
  const ref = { kind: 'Instance', project: 'default', parent: '-', name: 'gone' };
  return {
    name: 'Instance, purge',
    back: {
      name: 'buried',
      calm: true,
      enter: async (host) => {
        rmSync(join(host.manifests, 'row.yaml'), { force: true });
        const made = await host.post('/v1/apply', { files: [{ path: 'gone.yaml', text: instance('gone') }] });
        assert.ok(made.status < 300, made.body);
        await host.waitReady();
        const deleted = await host.delete('/v1/objects/Instance/default/-/gone');
        assert.equal(deleted.status, 202, deleted.body);
      },
    },
    there: {
      name: 'purged',
      enter: async (host) => {
        const answer = await host.post('/v1/purge', { ref });
        assert.equal(answer.status, 202, answer.body);
      },
    },
  };
}

/** Made through the API, deleted by name, brought back with its data. */
function deleteAndUndelete(): Path {
  const ref = { kind: 'Instance', project: 'default', parent: '-', name: 'kept' };
  let made = false;
  return {
    name: 'Instance, delete and undelete',
    back: {
      name: 'there',
      enter: async (host) => {
        rmSync(join(host.manifests, 'row.yaml'), { force: true });
        const answer = made
          ? await host.post('/v1/undelete', { ref })
          : await host.post('/v1/apply', { files: [{ path: 'kept.yaml', text: instance('kept') }] });
        made = true;
        assert.ok(answer.status < 300, answer.body);
      },
    },
    there: {
      name: 'deleted',
      enter: async (host) => {
        const answer = await host.delete('/v1/objects/Instance/default/-/kept');
        assert.equal(answer.status, 202, answer.body);
      },
    },
  };
}
