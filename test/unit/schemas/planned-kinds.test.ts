import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDocuments } from '../../../src/schemas/checks/check-documents.ts';
import { ALL_KINDS, APPLIED_KINDS } from '../../../src/schemas/kinds/table.ts';
import { manifest, parse, short } from './manifests.ts';

const BASE = [
  manifest('StoragePool', 'fast', 'spec: { driver: dir }'),
  manifest('Network', 'lan', 'spec: { config: { ipv4.address: 10.20.0.1/24 } }'),
  manifest('Image', 'box', 'spec: { source: { build: { type: busybox } } }'),
  manifest('Profile', 'default', 'spec: { devices: { root: { type: disk, path: /, pool: fast } } }'),
].join('');
const LINES = BASE.split('\n').length - 1;

/** All problems of one document beside a valid base; lines count from its first. */
function problemsOf(text: string): string[] {
  const { documents, problems } = parse(BASE + text);
  const all = [...problems, ...checkDocuments(documents).problems];
  return all.map((problem) => short({ ...problem, line: problem.line - LINES }));
}

const VALID = [
  ['StorageVolume', 'spec: { pool: fast, contentType: block, config: { size: 5GiB, user.note: 7 } }'],
  [
    'NetworkACL',
    'spec: { ingress: [{ action: allow, protocol: tcp, destination_port: 80 }], egress: [{ action: drop, protocol: icmp4, icmp_type: 8 }] }',
  ],
  [
    'NetworkForward',
    'spec: { network: lan, listenAddress: 192.0.2.1, config: { target_address: 10.20.0.9 }, ports: [{ protocol: tcp, listen_port: 80, target_address: 10.20.0.9 }] }',
  ],
  ['Project', 'spec: { config: { features.images: true, limits.instances: 5 } }'],
  ['InstanceSet', 'spec: { replicas: 3, template: { spec: { image: box, config: { limits.cpu: 2 } } } }'],
] as const;

for (const [kind, spec] of VALID) {
  test(`a right ${kind} is refused only because nothing carries it out yet`, () => {
    assert.deepEqual(problemsOf(manifest(kind, 'one', spec)), ['2:7 not-supported-yet kind']);
  });
}

test('every kind that is not carried out has a valid document above', () => {
  assert.deepEqual(ALL_KINDS.filter((kind) => !APPLIED_KINDS.includes(kind)).toSorted(), VALID.map(([kind]) => kind).toSorted());
});

const WRONG = [
  ['a volume in a pool nobody declares', 'StorageVolume', 'spec: { pool: slow }', ['4:15 dangling-reference spec.pool']],
  ['a volume without a pool', 'StorageVolume', 'spec: {}', ['4:1 required spec']],
  ['a wrong size of a volume', 'StorageVolume', 'spec: { pool: fast, config: { size: 5 Gigs } }', ['4:37 value spec.config.size']],
  ['an unknown key of a volume', 'StorageVolume', 'spec: { pool: fast, config: { sise: 5GiB } }', ['4:31 unknown-key spec.config.sise']],
  ['a rule without an action', 'NetworkACL', 'spec: { egress: [{ protocol: tcp }] }', ['4:18 required spec.egress[0]']],
  [
    'a port without a protocol',
    'NetworkACL',
    'spec: { egress: [{ action: drop, source_port: 80 }] }',
    ['4:34 acl-rule spec.egress[0].source_port'],
  ],
  [
    'ports that are none',
    'NetworkACL',
    'spec: { egress: [{ action: drop, protocol: tcp, source_port: 99999 }] }',
    ['4:62 value spec.egress[0].source_port'],
  ],
  [
    'a target outside the network',
    'NetworkForward',
    'spec: { network: lan, listenAddress: 192.0.2.1, config: { target_address: 10.9.9.9 } }',
    ['4:75 address-in-subnet spec.config.target_address'],
  ],
  ['an address that is none', 'NetworkForward', 'spec: { network: lan, listenAddress: web }', ['4:38 value spec.listenAddress']],
  [
    'an unknown field of a port rule',
    'NetworkForward',
    'spec: { network: lan, listenAddress: 192.0.2.1, ports: [{ protocol: tcp, listen_port: 1, target_address: 10.20.0.9, target: 2 }] }',
    ['4:117 unknown-key spec.ports[0].target'],
  ],
  ['a project whose name has "_"', 'Project', 'spec: {}', ['3:19 name metadata.name'], 'a_b'],
  [
    'a template with an unknown profile',
    'InstanceSet',
    'spec: { replicas: 1, template: { spec: { image: box, profiles: [nope] } } }',
    ['4:65 dangling-reference spec.template.spec.profiles[0]'],
  ],
  [
    'a template with a wrong config key',
    'InstanceSet',
    'spec: { replicas: 1, template: { spec: { image: box, config: { limits.cpus: 2 } } } }',
    ['4:64 unknown-key spec.template.spec.config.limits.cpus'],
  ],
  [
    'one address for several instances',
    'InstanceSet',
    'spec: { replicas: 2, template: { spec: { image: box, devices: { eth0: { type: nic, network: lan, ipv4.address: 10.20.0.9 } } } } }',
    ['4:98 equal-address spec.template.spec.devices.eth0.ipv4.address'],
  ],
] as const;

for (const [what, kind, spec, expected, name = 'one'] of WRONG) {
  test(`${what} is told`, () => {
    const found = problemsOf(manifest(kind, name, spec)).filter((problem) => !problem.includes('not-supported-yet'));
    assert.deepEqual(found, [...expected]);
  });
}

test('two pools with one source, and a wait for a stopped instance', () => {
  const text = [
    manifest('StoragePool', 'a', 'spec: { driver: dir, config: { source: /srv/a } }'),
    manifest('StoragePool', 'b', 'spec: { driver: dir, config: { source: /srv/a } }'),
    manifest('Instance', 'off', 'spec: { image: box, state: Stopped }'),
    manifest('Instance', 'on', 'spec: { image: box, dependsOn: [{ kind: Instance, name: "off" }] }'),
  ].join('');
  assert.deepEqual(problemsOf(text), [
    '19:57 dependency-state spec.dependsOn[0].name',
    '4:40 equal-source spec.config.source',
    '9:40 equal-source spec.config.source',
  ]);
});
