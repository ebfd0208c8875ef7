import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentJson, type ParseCache, parseManifests, reviveDocument } from '../../../src/schemas/parse.ts';
import { documentsOf, manifest, parse, short } from './manifests.ts';

const WEB = `# a comment
apiVersion: lockstep/v1
kind: Instance
metadata:
  name: web
  labels: { app: shop }
spec:
  image: debian
  config:
    limits.cpu: 2
    security.nesting: true
    limits.memory:
    user.note: ""
  devices:
    root: { type: disk, path: /, pool: fast, size: 10GiB }
    tun: { type: unix-char, source: /dev/net/tun, mode: 0666 }
`;

test('a valid document is typed, identified and knows where it stands', () => {
  const { documents, problems } = parse(WEB, 'shop/web.yaml');
  assert.deepEqual(problems, []);
  const [web] = documents;
  assert.deepEqual(web?.ref, { kind: 'Instance', project: 'default', parent: '-', name: 'web' });
  assert.deepEqual(web.metadata, { name: 'web', labels: { app: 'shop' } });
  assert.equal(web.origin.source, 'test');
  assert.equal(web.origin.file, 'shop/web.yaml');
  assert.equal(web.origin.line, 2);
});

test('config and devices are texts as written, and what is empty is not set', () => {
  const [web] = documentsOf(WEB);
  assert.deepEqual(web?.spec, {
    image: 'debian',
    config: { 'limits.cpu': '2', 'security.nesting': 'true' },
    devices: {
      root: { type: 'disk', path: '/', pool: 'fast', size: '10GiB' },
      tun: { type: 'unix-char', source: '/dev/net/tun', mode: '0666' },
    },
  });
});

test('a field is located at its value, at its key, or at its nearest parent', () => {
  const [web] = documentsOf(WEB);
  const at = (path: (string | number)[], inKey = false): string => {
    const { line, column, endLine, endColumn } = web!.locate(path, inKey);
    return `${line}:${column}-${endLine}:${endColumn}`;
  };
  assert.equal(at(['spec', 'config', 'limits.cpu']), '10:17-10:18');
  assert.equal(at(['spec', 'config', 'limits.cpu'], true), '10:5-10:15');
  assert.equal(at(['spec', 'devices', 'root', 'size']), '15:52-15:57');
  assert.equal(at(['spec', 'devices', 'root', 'nothing']), '15:11-15:59');
  assert.equal(at(['spec', 'config', 'limits.memory']), '12:5-12:18');
});

test('a typo is told with its place and the right word', () => {
  const text = WEB.replace('limits.cpu: 2', 'limits.cpus: 2')
    .replace('security.nesting: true', 'security.nesting: ture')
    .replace('10GiB', '10gib');
  const { problems } = parse(text.replace('image:', 'imagee:'));
  const inOptions = [
    '10:5 unknown-key spec.config.limits.cpus',
    '11:23 value spec.config.security.nesting',
    '15:52 value spec.devices.root.size',
  ];
  assert.deepEqual(problems.map(short), ['8:3 unknown-key spec.imagee', ...inOptions]);
  assert.equal(problems[0]?.hint, 'Did you mean "image"?');
  const options = parse(text).problems;
  assert.deepEqual(options.map(short), inOptions);
  assert.deepEqual(
    options.map((problem) => problem.hint),
    ['Did you mean "limits.cpu"?', 'Did you mean "true"?', 'Did you mean "10GiB"?'],
  );
});

test('one bad document stops no other', () => {
  const { documents, problems, perFile } = parse(
    manifest('Profile', 'a', '') + manifest('Profile', 'b', 'spec: { confg: {} }') + manifest('Profile', 'c', ''),
  );
  assert.deepEqual(
    documents.map((document) => document.ref.name),
    ['a', 'c'],
  );
  assert.deepEqual(problems.map(short), ['9:9 unknown-key spec.confg']);
  assert.deepEqual(perFile[0]?.claims, ['Profile/default/-/b']);
});

test('a document with broken syntax stops no other file', () => {
  const { documents, perFile } = parseManifests([
    { path: 'bad.yaml', text: 'apiVersion: "lockstep/v1\nkind: Profile\n', source: 's' },
    { path: 'good.yaml', text: manifest('Profile', 'a', ''), source: 's' },
  ]);
  assert.deepEqual(
    documents.map((document) => document.ref.name),
    ['a'],
  );
  assert.deepEqual(
    perFile.map((file) => file.problems.length > 0),
    [true, false],
  );
});

test('JSON is read like YAML, tabs and all', () => {
  const text =
    '{\n\t"apiVersion": "lockstep/v1",\n\t"kind": "Profile",\n\t"metadata": { "name": "a" },\n\t"spec": { "config": { "limits.cpu": 2 } }\n}\n';
  const { documents, problems } = parse(text, 'a.json');
  assert.deepEqual(problems, []);
  assert.deepEqual(documents[0]?.spec, { config: { 'limits.cpu': '2' } });
});

test('an object declared twice is used in neither form, wherever the two stand', () => {
  const { documents, problems } = parseManifests([
    { path: 'a.yaml', text: manifest('Profile', 'a', '') + manifest('Profile', 'b', ''), source: 's' },
    { path: 'b.yaml', text: manifest('Profile', 'a', ''), source: 's' },
  ]);
  assert.deepEqual(
    documents.map((document) => document.ref.name),
    ['b'],
  );
  assert.deepEqual(
    problems.map((problem) => `${problem.file} ${problem.rule}`),
    ['a.yaml duplicate-object', 'b.yaml duplicate-object'],
  );
  assert.match(problems[0]!.message, /also at b\.yaml:1\./);
});

const INSTANCE = (spec: string): string => manifest('Instance', 'web', `spec: { image: a, ${spec} }`);

const REFUSED: readonly [name: string, text: string, problem: string][] = [
  ['no apiVersion', 'kind: Profile\n', '1:1 required'],
  ['another apiVersion', 'apiVersion: lockstep/v2\n', '1:13 value apiVersion'],
  ['an unknown kind', 'apiVersion: lockstep/v1\nkind: instance\n', '2:7 value kind'],
  ['a list', '- a\n', '1:1 type'],
  ['a word', 'hello\n', '1:1 type'],
  ['a name with a slash', manifest('Profile', 'a/b', ''), '3:19 name metadata.name'],
  ['a name with ..', manifest('Profile', 'a..b', ''), '3:19 name metadata.name'],
  ['a name with a leading dash', manifest('Profile', '-rf', ''), '3:19 name metadata.name'],
  ['a name with a line break', manifest('Profile', '"a\\nb"', ''), '3:19 value metadata.name'],
  ["an instance's name that is no host name", manifest('Instance', 'a_b', 'spec: { image: x }'), '3:19 name metadata.name'],
  [
    'another project',
    'apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: a, project: p }\n',
    '3:31 not-supported-yet metadata.project',
  ],
  [
    'a rename of what cannot be renamed',
    'apiVersion: lockstep/v1\nkind: Network\nmetadata: { name: a, renamedFrom: b }\n',
    '3:22 rename metadata.renamedFrom',
  ],
  ['a key given twice', manifest('Profile', 'a', 'spec: { config: { user.a: 1, user.a: 2 } }'), '4:30 duplicate-key spec.config.user.a'],
  ['a float in config', manifest('Profile', 'a', 'spec: { config: { limits.cpu: 1.5 } }'), '4:31 number-scalar spec.config.limits.cpu'],
  ['a date in config', manifest('Profile', 'a', 'spec: { config: { user.day: 2026-01-31 } }'), '4:29 date-scalar spec.config.user.day'],
  ['a number in base 8', manifest('Profile', 'a', 'spec: { config: { user.n: 0o17 } }'), '4:27 number-scalar spec.config.user.n'],
  ['a map in config', manifest('Profile', 'a', 'spec: { config: { limits: { cpu: 2 } } }'), '4:27 type spec.config.limits'],
  ['__proto__', manifest('Profile', 'a', 'spec: { __proto__: { config: {} } }'), '4:9 forbidden-key spec.__proto__'],
  ['__proto__ in config', manifest('Profile', 'a', 'spec: { config: { __proto__: x } }'), '4:19 forbidden-key spec.config.__proto__'],
  ['a merge key', manifest('Profile', 'a', 'spec: { <<: { config: {} } }'), '4:9 merge-key spec.<<'],
  ['an escaped NUL', manifest('Profile', 'a', 'spec: { config: { user.a: "x\\0" } }'), '4:27 control-character spec.config.user.a'],
  ['a broken surrogate', manifest('Profile', 'a', 'spec: { config: { user.a: "\\ud800" } }'), '4:27 control-character spec.config.user.a'],
  ['a NUL', 'apiVersion: lockstep/v1\nkind: \0\n', '2:7 control-character'],
  ['a tab as indentation', manifest('Profile', 'a', 'spec:\n\tconfig: {}'), '5:1 yaml-syntax'],
  ['another YAML', '%YAML 1.1\n---\nkind: Profile\n', '2:1 yaml-version'],
  ['a tag', manifest('Profile', 'a', 'spec: { config: { user.a: !secret x } }'), '4:27 yaml-syntax'],
  ['an alias inside what it names', manifest('Profile', 'a', 'spec: { config: &a { user.a: *a } }'), '4:30 too-deep'],
  ['an empty list entry', INSTANCE('profiles: [a, null]'), '4:33 empty-item spec.profiles[1]'],
  [
    'a value with a line break in one line of configuration',
    INSTANCE('config: { environment.A: "a\\nlxc.x = y" }'),
    '4:44 value spec.config.environment.A',
  ],
  ['a key that is still to come', INSTANCE('config: { raw.lxc: x }'), '4:29 not-supported-yet spec.config.raw.lxc'],
  ['a key the daemon writes', INSTANCE('config: { volatile.uuid: x }'), '4:29 internal-key spec.config.volatile.uuid'],
  [
    'a health condition',
    INSTANCE('dependsOn: [{ kind: Instance, name: db, condition: Healthy }]'),
    '4:70 not-supported-yet spec.dependsOn[0].condition',
  ],
  ['a profile listed twice', INSTANCE('profiles: [a, a]'), '4:33 duplicate spec.profiles[1]'],
  ['an image of a remote', manifest('Instance', 'web', 'spec: { image: "images:debian/12" }'), '4:16 not-supported-yet spec.image'],
  ['a device without type', INSTANCE('devices: { a: { path: / } }'), '4:30 required spec.devices.a'],
  ['a device of an unknown type', INSTANCE('devices: { a: { type: dsk } }'), '4:41 value spec.devices.a.type'],
  ['a device type that is still to come', INSTANCE('devices: { a: { type: gpu } }'), '4:41 not-supported-yet spec.devices.a.type'],
  ["a device's name with a slash", INSTANCE('devices: { ../a: { type: none } }'), '4:30 name spec.devices.../a'],
  ['a root disk without pool', INSTANCE('devices: { a: { type: disk, path: / } }'), '4:30 device spec.devices.a'],
  [
    'a root disk with a source',
    INSTANCE('devices: { a: { type: disk, path: /, pool: p, source: /x } }'),
    '4:65 device spec.devices.a.source',
  ],
  ['a disk that climbs', INSTANCE('devices: { a: { type: disk, path: /mnt, source: /srv/../etc } }'), '4:67 value spec.devices.a.source'],
  ['a relative path', INSTANCE('devices: { a: { type: disk, path: mnt, source: /srv } }'), '4:53 value spec.devices.a.path'],
  ['a NIC without network', INSTANCE('devices: { a: { type: nic } }'), '4:30 device spec.devices.a'],
  ['a device node outside /dev', INSTANCE('devices: { a: { type: unix-char, source: /etc/x } }'), '4:60 device spec.devices.a.source'],
  ['a major without a minor', INSTANCE('devices: { a: { type: unix-char, path: /dev/x, major: 1 } }'), '4:30 device spec.devices.a'],
  ['an image without source', manifest('Image', 'a', 'spec: { source: {} }'), '4:9 image-source spec.source'],
  [
    'an image with two sources',
    manifest('Image', 'a', 'spec: { source: { file: /a, build: { type: busybox } } }'),
    '4:9 image-source spec.source',
  ],
  ['an image by URL', manifest('Image', 'a', 'spec: { source: { url: "https://x.example/a" } }'), '4:24 not-supported-yet spec.source.url'],
  [
    'a Debian build without release',
    manifest('Image', 'a', 'spec: { source: { build: { type: debian } } }'),
    '4:19 required spec.source.build',
  ],
  [
    'a package name that is an option',
    manifest('Image', 'a', 'spec: { source: { build: { type: debian, release: sid, packages: ["-o=x"] } } }'),
    '4:67 value spec.source.build.packages[0]',
  ],
  ['a network type that is still to come', manifest('Network', 'a', 'spec: { type: macvlan }'), '4:15 not-supported-yet spec.type'],
  ['IPv6', manifest('Network', 'a', 'spec: { config: { ipv6.address: auto } }'), '4:33 value spec.config.ipv6.address'],
  [
    "a network's own address",
    manifest('Network', 'a', 'spec: { config: { ipv4.address: 10.0.0.0/24 } }'),
    '4:33 value spec.config.ipv4.address',
  ],
  ['a pool driver that is still to come', manifest('StoragePool', 'a', 'spec: { driver: zfs }'), '4:17 not-supported-yet spec.driver'],
];

for (const [name, text, problem] of REFUSED) {
  test(`refuses ${name}`, () => {
    const { documents, problems } = parse(text);
    assert.deepEqual(documents, []);
    assert.equal(problems.length, 1, problems.map((one) => `${short(one)} ${one.message}`).join('\n'));
    const got = short(problems[0]!);
    assert.ok(got === problem || (problem.endsWith('too-deep') && got.startsWith(problem)), got);
    assert.match(problems[0]!.message, /^[A-Z"].*\.$/s);
  });
}

test('an anchor of another document is not known', () => {
  const { documents, problems } = parse(
    manifest('Profile', 'a', 'spec: { config: { user.a: &x y } }') + manifest('Profile', 'b', 'spec: { config: { user.a: *x } }'),
  );
  assert.deepEqual(
    documents.map((document) => document.ref.name),
    ['a'],
  );
  assert.deepEqual(problems.map(short), ['9:27 unknown-alias spec.config.user.a']);
});

test('never shows the value of a key that may hold a secret', () => {
  const { problems } = parse(INSTANCE('config: { environment.TOKEN: "s3cr3t\\nx" }'));
  assert.equal(problems.length, 1);
  assert.doesNotMatch(JSON.stringify(problems), /s3cr3t/);
});

test('a date that is quoted is text', () => {
  assert.equal(parse(manifest('Profile', 'a', 'spec: { config: { user.day: "2026-01-31" } }')).documents.length, 1);
});

test('a stored document comes back as it was, at its old place', () => {
  const [web] = documentsOf(WEB);
  const text = documentJson(web!);
  const revived = reviveDocument(text, { source: 'git', file: 'old.yaml', line: 7 });
  assert.ok(revived !== undefined);
  assert.deepEqual(revived.spec, web!.spec);
  assert.deepEqual(revived.ref, web!.ref);
  assert.equal(documentJson(revived), text);
  assert.deepEqual(revived.origin, { source: 'git', file: 'old.yaml', line: 7, column: 1, endLine: 7, endColumn: 2 });
  assert.equal(revived.locate(['spec', 'image']).line, 7);
});

test('a stored document that is no longer accepted does not come back', () => {
  const at = { source: 's', file: 'f', line: 1 };
  assert.equal(reviveDocument('{', at), undefined);
  assert.equal(reviveDocument('null', at), undefined);
  assert.equal(reviveDocument('{"apiVersion":"lockstep/v1","kind":"Instance","metadata":{"name":"a"},"spec":{}}', at), undefined);
});

test('with a cache, an unchanged file is the same documents, and a changed or removed one is not', () => {
  const cache: ParseCache = new Map();
  const a = { path: 'a.yaml', text: manifest('Profile', 'a', ''), source: 's' };
  const b = { path: 'b.yaml', text: manifest('Profile', 'b', ''), source: 's' };
  const first = parseManifests([a, b], cache).documents;
  const second = parseManifests([a, { ...b, text: manifest('Profile', 'a', '') }], cache);
  assert.deepEqual(second.documents, [], 'now declared twice');
  const third = parseManifests([a, { ...b, text: `\n${b.text}` }], cache).documents;
  assert.equal(third[0], first[0]);
  assert.notEqual(third[1], first[1]);
  assert.equal(third[1]?.origin.line, 2);
  assert.equal(parseManifests([b], cache).documents.length, 1);
  assert.deepEqual([...cache.keys()], ['b.yaml']);
});
