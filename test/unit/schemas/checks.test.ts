import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDocuments } from '../../../src/schemas/checks/check-documents.ts';
import { documentsOf, manifest, parse, short } from './manifests.ts';

const BASE = [
  manifest('StoragePool', 'fast', 'spec: { driver: btrfs }'),
  manifest('Network', 'lan', 'spec: { config: { ipv4.address: 10.20.0.1/24, ipv4.dhcp.ranges: 10.20.0.100-10.20.0.199 } }'),
  manifest('Image', 'bb', 'spec: { source: { build: { type: busybox } } }'),
  manifest('Profile', 'default', 'spec: { devices: { root: { type: disk, path: /, pool: fast } } }'),
];

function check(...texts: string[]): { problems: string[]; messages: string[]; unusable: string[] } {
  const { problems, unusable } = checkDocuments(documentsOf(...texts));
  return { problems: problems.map(short), messages: problems.map((problem) => problem.message), unusable: [...unusable].toSorted() };
}

function instance(name: string, rest = ''): string {
  return manifest('Instance', name, `spec: { image: bb, ${rest} }`);
}

function nic(name: string, options: string): string {
  return instance(name, `devices: { eth0: { type: nic, network: lan, ${options} } }`);
}

test('a set that is right has no problems', () => {
  const set = [
    ...BASE,
    instance('web', 'dependsOn: [{ kind: Instance, name: db }]'),
    nic('db', 'ipv4.address: 10.20.0.10, hwaddr: 00:16:3e:00:00:01'),
  ];
  assert.deepEqual(check(...set), { problems: [], messages: [], unusable: [] });
});

test('finds every name that is not declared, and proposes the one that was meant', () => {
  const { problems } = checkDocuments(
    documentsOf(
      ...BASE,
      manifest('Profile', 'p', 'spec: { devices: { a: { type: nic, network: lna }, b: { type: disk, path: /, pool: slow } } }'),
      manifest('Instance', 'web', 'spec: { image: bbb, profiles: [default, q], dependsOn: [{ kind: Instance, name: weeb }] }'),
    ),
  );
  assert.deepEqual(
    problems.map(({ message, hint }) => `${message} ${hint}`),
    [
      'There is no Profile "q". Declared: default, p.',
      'There is no Image "bbb". Did you mean "bb"?',
      'There is no Instance "weeb". Did you mean "web"?',
      'There is no Network "lna". Did you mean "lan"?',
      'There is no StoragePool "slow". Declared: fast.',
    ],
  );
});

test('a mistake in a profile is told once, and makes each instance with it unusable', () => {
  const broken = manifest('Profile', 'default', 'spec: { devices: { root: { type: disk, path: /, pool: slow } } }');
  const { problems, unusable } = check(...BASE.slice(0, 3), broken, instance('a'), instance('b'));
  assert.deepEqual(problems, ['19:55 dangling-reference spec.devices.root.pool']);
  assert.deepEqual(unusable, ['Instance/default/-/a', 'Instance/default/-/b']);
});

test('what a broken document declares is not called missing', () => {
  const { documents, perFile } = parse(
    [...BASE.slice(0, 3), manifest('Profile', 'default', 'spec: { confg: {} }'), instance('a')].join(''),
  );
  const claimed = new Set(perFile.flatMap((file) => file.claims));
  assert.deepEqual(checkDocuments(documents, claimed).problems, []);
  assert.deepEqual(
    checkDocuments(documents).problems.map((problem) => problem.rule),
    ['root-disk'],
  );
});

test('an instance needs exactly one root disk', () => {
  assert.deepEqual(check(...BASE, instance('a', 'profiles: []')).messages, ['The instance "a" has no root disk.']);
  const two = check(...BASE, instance('a', 'devices: { disk: { type: disk, path: /, pool: fast } }'));
  assert.deepEqual(two.messages, [
    'The instance "a" has 2 root disks: "root" and "disk".',
    'The instance "a" has 2 root disks: "root" and "disk".',
  ]);
  assert.deepEqual(two.unusable, ['Instance/default/-/a']);
  assert.deepEqual(
    check(...BASE, instance('a', 'devices: { root: { type: none }, disk: { type: disk, path: /, pool: fast } }')).problems,
    [],
  );
});

test('prints a circle of dependencies, and leaves out who only leads into it', () => {
  const on = (name: string): string => `dependsOn: [{ kind: Instance, name: ${name} }]`;
  const { messages, unusable } = check(
    ...BASE,
    instance('start', on('a')),
    instance('a', on('b')),
    instance('b', on('c')),
    instance('c', on('a')),
  );
  assert.deepEqual(messages, ['These instances wait for each other: a -> b -> c -> a.']);
  assert.deepEqual(unusable, ['Instance/default/-/a', 'Instance/default/-/b', 'Instance/default/-/c']);
  assert.deepEqual(check(...BASE, instance('me', on('me'))).messages, ['The instance "me" depends on itself.']);
});

test('a long chain of dependencies is fine', () => {
  const chain = Array.from({ length: 3000 }, (_, at) =>
    instance(`i${at}`, at === 0 ? '' : `dependsOn: [{ kind: Instance, name: i${at - 1} }]`),
  );
  assert.deepEqual(check(...BASE, ...chain).problems, []);
});

test('two NICs in one network may not have the same address or MAC', () => {
  const address = check(...BASE, nic('a', 'ipv4.address: 10.20.0.10'), nic('b', 'ipv4.address: 10.20.0.10'));
  assert.deepEqual(address.problems, [
    '24:78 equal-address spec.devices.eth0.ipv4.address',
    '29:78 equal-address spec.devices.eth0.ipv4.address',
  ]);
  assert.match(address.messages[0]!, /given 2 times: a\/eth0, b\/eth0\.$/);
  assert.deepEqual(address.unusable, ['Instance/default/-/a', 'Instance/default/-/b']);
  const mac = check(...BASE, nic('a', 'hwaddr: 00:16:3e:00:00:0a'), nic('b', 'hwaddr: 00:16:3E:00:00:0A'));
  assert.equal(mac.problems.length, 2);
});

test('a static address must be one its network can give', () => {
  const message = (address: string): string => check(...BASE, nic('a', `ipv4.address: ${address}`)).messages.join();
  assert.equal(message('10.21.0.10'), 'The address 10.21.0.10 is outside the subnet 10.20.0.0/24 of the network "lan".');
  assert.equal(message('10.20.0.1'), 'The address 10.20.0.1 is the bridge\'s own address of the network "lan".');
  assert.equal(message('10.20.0.0'), 'The address 10.20.0.0 is the network address of the network "lan".');
  assert.equal(message('10.20.0.255'), 'The address 10.20.0.255 is the broadcast address of the network "lan".');
  assert.equal(message('10.20.0.254'), '');
  const other = (config: string): string => manifest('Network', 'lan', `spec: { config: ${config} }`);
  const without = (config: string): number =>
    check(BASE[0]!, other(config), BASE[2]!, BASE[3]!, nic('a', 'ipv4.address: 10.0.0.5')).problems.length;
  assert.equal(without('{ ipv4.address: none }'), 1);
  assert.equal(without('{ ipv4.address: 10.0.0.1/24, ipv4.dhcp: false }'), 1);
  assert.equal(without('{ ipv4.address: auto }'), 0);
});

test('DHCP ranges lie in the subnet', () => {
  const network = manifest(
    'Network',
    'x',
    'spec: { config: { ipv4.address: 10.9.0.1/24, ipv4.dhcp.ranges: "10.9.0.5-10.9.0.9, 10.9.1.5-10.9.1.9" } }',
  );
  assert.deepEqual(check(network).messages, ['The range 10.9.1.5-10.9.1.9 is not inside the subnet 10.9.0.0/24 of the network "x".']);
});

test('networks may not overlap, whichever holds the other', () => {
  const network = (name: string, address: string): string => manifest('Network', name, `spec: { config: { ipv4.address: ${address} } }`);
  const { unusable } = check(
    network('a', '10.0.0.1/8'),
    network('b', '192.168.0.1/24'),
    network('c', '10.5.0.1/24'),
    network('d', '10.9.0.1/24'),
  );
  assert.deepEqual(unusable, ['Network/default/-/a', 'Network/default/-/c', 'Network/default/-/d']);
  assert.deepEqual(check(network('a', '10.0.0.1/25'), network('b', '10.0.0.129/25')).problems, []);
});

test('two devices of an instance may not want the same thing', () => {
  const both = (devices: string): string => check(...BASE, instance('a', `devices: { ${devices} }`)).messages.join();
  const disk = (name: string): string => `${name}: { type: disk, path: /mnt, source: /srv/${name} }`;
  assert.equal(both(`${disk('d')}, ${disk('e')}`), 'The devices "d" and "e" of the instance "a" both have the path /mnt.');
  assert.match(both('n: { type: nic, network: lan }, m: { type: nic, network: lan }'), /both have the network "lan"\.$/);
  assert.match(both('t: { type: unix-char, path: /dev/x }, u: { type: unix-char, source: /dev/x }'), /both have the path \/dev\/x\.$/);
});
