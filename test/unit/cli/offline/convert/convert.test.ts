// convert: telling documents apart, what it refuses, names, unknown keys, hostile text, and that there and back is the identity.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { thereAndBack } from '../../../../../scripts/compare-lxd/convert-documents.ts';
import { convertFiles, type Conversion, type ConvertOptions } from '../../../../../src/cli/offline/convert/convert.ts';
import { type PlainMap, readPlainYaml } from '../../../../../src/cli/offline/convert/plain-yaml.ts';
import { renderYaml } from '../../../../../src/cli/offline/convert/render.ts';
import { shapeOf } from '../../../../../src/cli/offline/convert/shapes.ts';

const DEFAULTS: ConvertOptions = { to: 'manifest', from: undefined, name: undefined, image: undefined, pool: undefined };

function convert(text: string, options: Partial<ConvertOptions> = {}): Conversion {
  return convertFiles([{ path: 'in.yaml', text }], { ...DEFAULTS, ...options });
}

function only(conversion: Conversion): PlainMap {
  assert.deepEqual(conversion.problems, []);
  assert.equal(conversion.documents.length, 1);
  return conversion.documents[0]?.value ?? {};
}

function messages({ problems }: Conversion): string[] {
  return problems.map(({ message }) => message);
}

test('documents are told apart by their shape', () => {
  const cases: readonly (readonly [PlainMap, string | undefined])[] = [
    [{ config: {}, devices: {}, profiles: ['default'], ephemeral: false }, 'instance'],
    [{ config: {}, devices: {}, name: 'p', description: '' }, 'profile'],
    [{ config: {}, name: 'n', type: 'bridge', managed: true }, 'network'],
    [{ config: {}, name: 'p', driver: 'dir' }, 'pool'],
    [{ config: {}, name: 'v', type: 'custom', content_type: 'filesystem' }, 'volume'],
    [{ config: { 'features.images': 'true' }, name: 'p' }, 'project'],
    [{ config: {}, networks: [], storage_pools: [], profiles: [], projects: [] }, 'dump'],
    [{ config: {}, profiles: [{ name: 'default' }] }, 'dump'],
    [{ apiVersion: 'lockstep/v1', kind: 'Profile' }, 'manifest'],
    [{ some: 'thing' }, undefined],
  ];
  for (const [document, shape] of cases) assert.equal(shapeOf(document), shape, JSON.stringify(document));
});

test('an instance needs a name, and takes it from --name; profiles have their own', () => {
  const text = 'config: {}\ndevices: {}\nprofiles: []\nephemeral: false\n';
  assert.deepEqual(messages(convert(text)), ['A document of this type (instance) has no name: give it with --name.']);
  assert.deepEqual(only(convert(text, { name: 'web', image: 'debian' })), {
    apiVersion: 'lockstep/v1',
    kind: 'Instance',
    metadata: { name: 'web', annotations: { 'lxd/document': '{"image":"debian"}' } },
    spec: { image: 'debian', profiles: [] },
  });
  const profile = only(convert('config: {}\ndevices: {}\nname: small\n', { name: 'web' }));
  assert.deepEqual(profile['metadata'], { name: 'small' });
});

test('the image is named after the one LXD remembers', () => {
  const text = 'config:\n  image.os: Debian GNU/Linux\n  image.release: ../bookworm\ndevices: {}\nprofiles: []\n';
  assert.deepEqual(only(convert(text, { name: 'a' }))['spec'], { image: 'debian-gnu-linux-.-bookworm', profiles: [] });
});

test('what Lockstep does not know is kept aside and comes back', () => {
  const text = [
    'config:',
    '  limits.memory: 1GiB',
    '  limits.future: "7"',
    'description: ""',
    'devices:',
    '  eth0: { type: nic, network: lan, color: green }',
    '  quantum: { type: quantum, bits: "8" }',
    'name: odd',
    'shiny: true',
    '',
  ].join('\n');
  const conversion = convert(text);
  const manifest = only(conversion);
  assert.deepEqual(manifest['spec'], { config: { 'limits.memory': '1GiB' }, devices: { eth0: { type: 'nic', network: 'lan' } } });
  assert.deepEqual(conversion.documents[0]?.notes, [
    'kept aside, because Lockstep does not know them: limits.future',
    'device "eth0": kept aside, because Lockstep does not know them: color',
    'kept aside, because Lockstep does not know such a device: "quantum"',
    'kept aside, because Lockstep has nothing like it: shiny',
  ]);
  const { back } = thereAndBack(text);
  assert.deepEqual(readPlainYaml('b', back).documents[0]?.value, readPlainYaml('a', text).documents[0]?.value);
});

test('--from lxd: a key that only Incus has is kept aside', () => {
  const text = 'config:\n  boot.autorestart: "true"\ndevices: {}\nname: p\n';
  assert.deepEqual(only(convert(text, { from: 'incus' }))['spec'], { config: { 'boot.autorestart': 'true' } });
  assert.deepEqual(only(convert(text, { from: 'lxd' }))['spec'], {});
});

test('incus admin init --dump becomes manifests, and these become it again', () => {
  const text = [
    'config:',
    '  core.https_address: :8443',
    'networks:',
    '- { config: { ipv4.address: 10.1.1.1/24, ipv6.address: none }, description: "", name: incusbr0, type: bridge, project: default }',
    'storage_pools:',
    '- { config: { size: 20GiB, source: /var/lib/incus/disks/fast.img }, description: "", name: fast, driver: btrfs }',
    'storage_volumes:',
    '- { config: { size: 1GiB }, description: "", name: data, type: custom, content_type: filesystem, pool: fast }',
    'profiles:',
    '- { config: {}, description: Default, devices: { root: { path: /, pool: fast, type: disk } }, name: default, project: default }',
    'projects:',
    '- { config: { features.images: "true" }, description: "", name: aside }',
    '- { config: { features.images: "true" }, description: "", name: default }',
    'certificates: []',
    'cluster: { server_name: one, enabled: false }',
    '',
  ].join('\n');
  const { documents, problems } = convert(text, { from: 'incus' });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    documents.map(({ title }) => title),
    ['StoragePool "fast"', 'StorageVolume "data"', 'Network "incusbr0"', 'Project "aside"', 'Profile "default"'],
  );
  const original = readPlainYaml('a', text.replaceAll(', project: default', '')).documents[0]?.value;
  assert.deepEqual(readPlainYaml('b', thereAndBack(text).back).documents[0]?.value, original);
});

test('what is neither is refused with its line, and the others are converted all the same', () => {
  const text = '---\nsome: thing\n---\n[1, 2]\n---\nconfig: {}\ndevices: {}\nname: p\n---\napiVersion: lockstep/v1\nkind: Profile\n';
  const { documents, problems } = convert(text);
  assert.deepEqual(
    problems.map(({ line, message }) => [line, message]),
    [
      [4, 'The document is not a map.'],
      [2, 'This is no document of LXD that can be told by its shape.'],
      [10, 'This is a manifest already.'],
    ],
  );
  assert.deepEqual(
    documents.map(({ title }) => title),
    ['Profile "p"'],
  );
});

test('an Image has no document of LXD', () => {
  const text = 'apiVersion: lockstep/v1\nkind: Image\nmetadata: { name: a }\nspec: {}\n';
  assert.deepEqual(messages(convert(text, { to: 'lxd' })), ['LXD has no document like one of kind "Image".']);
});

test('hostile text is refused and ends no comment', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['config: {}\n__proto__: { a: b }\n', /not plain text/],
    ['config: { a: b, a: c }\n', /given twice/],
    ['config: &a { x: y }\ndevices: *a\n', /Aliases/],
    [`${'['.repeat(5000)}\n`, /deep|nested/i],
    ['config: {\n', /./],
    ['? [a]\n: b\n', /not plain text/],
  ];
  for (const [text, message] of refused) {
    const conversion = convert(text);
    assert.equal(conversion.documents.length, 0, text.slice(0, 40));
    assert.match(messages(conversion)[0] ?? '', message, text.slice(0, 40));
  }
  const text = renderYaml(convert('config: {}\ndevices: {}\nname: "a\\nkind: Evil\\u2028kind: Evil\\u0085x"\n').documents);
  assert.deepEqual(text.split(/[\n\u0085\u2028\u2029]/)[0], '# Profile "a\\nkind: Evil?kind: Evil?x"');
});

test('a text in the places convert uses is left alone when somebody else wrote it', () => {
  const text = 'config:\n  user.lockstep: \'{"spec": {"config": {}}}\'\ndescription: ""\ndevices: {}\nname: p\n';
  assert.deepEqual(only(convert(text))['spec'], { config: { 'user.lockstep': '{"spec": {"config": {}}}' } });
  const manifest = 'apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: p, annotations: { lxd/document: mine } }\nspec: {}\n';
  const lxd = renderYaml(convert(manifest, { to: 'lxd' }).documents);
  assert.deepEqual(only(convert(lxd))['metadata'], { name: 'p', annotations: { 'lxd/document': 'mine' } });
});

/** Without the null prototypes fast-check makes. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}

const text = fc.oneof(
  fc.constantFrom(
    'yes',
    'null',
    '~',
    '1e3',
    '0755',
    '2024-01-02',
    'a: b',
    '# x',
    '- x',
    '|',
    ' x ',
    'a\nb\n',
    '\n',
    "it's",
    '"',
    '{',
    'ü\u2028',
  ),
  fc.string({ minLength: 1, unit: 'grapheme' }),
);
const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const key = fc.oneof(
  fc.constantFrom('limits.memory', 'limits.cpu', 'boot.autorestart', 'raw.lxc', 'bogus', 'user.a', 'y', '1', 'ipv4.address', 'size'),
  fc.stringMatching(/^user\.[a-z]{1,5}$/),
);
const config = fc.dictionary(key, text, { maxKeys: 6 });
const options = fc.dictionary(fc.constantFrom('source', 'path', 'network', 'mtu', 'odd', 'listen'), text, { maxKeys: 4 });
const device = fc.tuple(fc.constantFrom('disk', 'nic', 'none', 'gpu', 'quantum'), options).map(([type, map]) => ({ ...map, type }));
const devices = fc.dictionary(fc.oneof(name, fc.constantFrom('a b', 'ü', 'constructor')), device, { maxKeys: 4 });
const description = fc.oneof(fc.constant(''), text);

const lxdDocuments: Readonly<Record<string, fc.Arbitrary<object>>> = {
  instance: fc.record({
    architecture: fc.constantFrom('x86_64', 'aarch64'),
    config,
    devices,
    ephemeral: fc.boolean(),
    profiles: fc.array(name, { maxLength: 4 }),
    stateful: fc.boolean(),
    description,
  }),
  profile: fc.record({ config, description, devices, name }),
  network: fc.record({ config, description, name, type: fc.constantFrom('bridge', 'macvlan', 'ovn', 'future') }),
  pool: fc.record({ config, description, name, driver: fc.constantFrom('dir', 'btrfs', 'zfs', 'future') }),
  volume: fc.record({
    config,
    description,
    name,
    type: fc.constant('custom'),
    content_type: fc.constantFrom('filesystem', 'block', 'iso'),
  }),
};

for (const [shape, documents] of Object.entries(lxdDocuments)) {
  test(`any ${shape} document comes back as it was`, () => {
    fc.assert(
      fc.property(documents, (document) => {
        const { back } = thereAndBack(JSON.stringify(document), { name: 'any', pool: 'fast' });
        assert.deepEqual(readPlainYaml('back', back).documents[0]?.value, plain(document));
      }),
      { numRuns: 200 },
    );
  });
}

function filled<T extends Record<string, unknown>>(value: T): Partial<T> {
  const entries = Object.entries(value).filter(
    ([, item]) => item !== undefined && !(typeof item === 'object' && Object.keys(item ?? {}).length === 0),
  );
  return Object.fromEntries(entries) as Partial<T>;
}

const labels = fc.dictionary(name, text, { maxKeys: 2 });
const metadata = fc
  .record({ name, description: fc.option(text, { nil: undefined }), labels, annotations: labels })
  .map((value) => filled(value));
const sayable = fc.dictionary(fc.constantFrom('limits.memory', 'raw.lxc', 'user.a', 'user.y'), fc.constantFrom('yes', '1', 'a\nb', ' x'), {
  maxKeys: 3,
});
const nics = fc.dictionary(name, fc.constant({ type: 'nic', network: 'lan' }), { maxKeys: 2 });

const manifests = fc.oneof(
  fc
    .record({
      image: name,
      profiles: fc.option(fc.array(name, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      state: fc.option(fc.constantFrom('Running', 'Stopped'), { nil: undefined }),
      protect: fc.option(fc.boolean(), { nil: undefined }),
      dependsOn: fc.option(fc.constant([{ kind: 'Instance', name: 'db' }]), { nil: undefined }),
      config: sayable,
      devices: nics,
    })
    .map((spec) => ({ kind: 'Instance', spec: filled(spec) })),
  fc.record({ config: sayable, devices: nics }).map((spec) => ({ kind: 'Profile', spec: filled(spec) })),
  fc
    .record({ type: fc.option(fc.constant('bridge'), { nil: undefined }), config: fc.constantFrom({}, { 'ipv4.address': 'auto' }) })
    .map((spec) => ({ kind: 'Network', spec: filled(spec) })),
  fc.constant({ kind: 'StoragePool', spec: { driver: 'dir', config: { source: '/srv/pool' } } }),
  fc.constantFrom(
    { kind: 'StorageVolume', spec: { pool: 'fast' } },
    { kind: 'StorageVolume', spec: { pool: 'fast', contentType: 'block', config: { size: '1GiB' } } },
  ),
);

test('any manifest comes back from LXD as it was', () => {
  fc.assert(
    fc.property(manifests, metadata, ({ kind, spec }, about) => {
      const manifest = { apiVersion: 'lockstep/v1', kind, metadata: about, spec };
      const lxd = renderYaml(convert(JSON.stringify(manifest), { to: 'lxd' }).documents);
      const back = renderYaml(convert(lxd).documents);
      assert.deepEqual(readPlainYaml('back', back).documents[0]?.value, plain(manifest));
    }),
    { numRuns: 300 },
  );
});
