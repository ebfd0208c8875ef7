// The editor schema in the language server that editors use for YAML: what it offers, what it says on hover, and what it underlines.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TextDocument } from 'vscode-languageserver-textdocument';
import languageServer from 'yaml-language-server/out/server/src/languageservice/yamlLanguageService.js';
import { editorSchema } from '../../src/schemas/editor-schema.ts';
import { ALL_KINDS, kindSchema } from '../../src/schemas/kinds/table.ts';
import type { OptionStatus } from '../../src/schemas/option.ts';
import { OPTION_SCOPES, type OptionScope, optionsOf, PLANNED_SCOPES } from '../../src/schemas/registry.ts';

const service = languageServer.getLanguageService({
  schemaRequestService: async () => JSON.stringify(editorSchema()),
  workspaceContext: { resolveRelativePath: (path: string) => path },
});
service.configure({
  validate: true,
  hover: true,
  completion: true,
  format: false,
  isKubernetes: false,
  yamlVersion: '1.2',
  customTags: [],
  schemas: [{ uri: 'file:///lockstep.schema.json', fileMatch: ['*.yaml'], schema: editorSchema() }],
});

const HEAD = 'apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: web }\nspec:\n  image: debian\n';

let version = 0;

/** The server remembers a document by its version. */
function documentOf(text: string): TextDocument {
  return TextDocument.create('file:///m.yaml', 'yaml', ++version, text);
}

/** The text with its cursor, written as `|`, taken out. */
function at(text: string): { document: TextDocument; position: { line: number; character: number } } {
  const offset = text.indexOf('|');
  const document = documentOf(text.slice(0, offset) + text.slice(offset + 1));
  return { document, position: document.positionAt(offset) };
}

async function offered(text: string): Promise<string[]> {
  const { document, position } = at(text);
  const { items } = await service.doComplete(document, position, false);
  return items.map((item) => item.label);
}

async function hover(text: string): Promise<string> {
  const { document, position } = at(text);
  return JSON.stringify(await service.doHover(document, position));
}

test('offers config keys, device options and their values', async () => {
  const config = await offered(`${HEAD}  config:\n    limits.m|\n`);
  assert.ok(config.includes('limits.memory') && config.includes('security.nesting'), config.join(', '));
  const values = await offered(`${HEAD}  config:\n    limits.memory.enforce: |\n`);
  assert.ok(values.includes('hard') && values.includes('soft'), values.join(', '));
  const nic = await offered(`${HEAD}  devices:\n    eth0:\n      type: nic\n      |\n`);
  assert.ok(nic.includes('network') && nic.includes('ipv4.address'), nic.join(', '));
});

test('offers the fields of spec, and the kinds', async () => {
  const fields = await offered(`${HEAD}  r|\n`);
  assert.ok(fields.includes('restart') && fields.includes('profiles'), fields.join(', '));
  const kinds = await offered('apiVersion: lockstep/v1\nkind: |\n');
  assert.ok(kinds.includes('Network') && kinds.includes('StoragePool'), kinds.join(', '));
});

test('says what a key means, with its notation', async () => {
  const memory = await hover(`${HEAD}  config:\n    limits.mem|ory: 1GiB\n`);
  assert.match(memory, /Most memory the instance may use/);
  assert.match(memory, /512MiB/);
  assert.match(await hover(`${HEAD}  sta|te: Running\n`), /power state/);
});

test('underlines a wrong key and a wrong value, and nothing else', async () => {
  const bad = documentOf(`${HEAD}  state: Runing\n  config:\n    limits.cpus: 2\n`);
  const found = await service.doValidation(bad, false);
  assert.deepEqual([...new Set(found.map(({ range }) => range.start.line + 1))], [6, 8]);
  const good = documentOf(`${HEAD}  state: Running\n  config:\n    limits.cpu: 2\n    security.nesting: true\n`);
  assert.deepEqual(await service.doValidation(good, false), []);
});

const APPLIED_DEVICES = OPTION_SCOPES.filter((scope) => scope.startsWith('device/') && !PLANNED_SCOPES.has(scope));

/** Keys of a scope that can be offered word for word. */
function keysOf(scope: OptionScope, status: OptionStatus): string[] {
  return optionsOf(scope)
    .filter((option) => option.status === status && !option.key.includes('*'))
    .map(({ key }) => key);
}

function missingFrom(labels: readonly string[], wanted: readonly string[]): string[] {
  return wanted.filter((one) => !labels.includes(one));
}

for (const kind of ALL_KINDS) {
  test(`offers every field of ${kind}`, async () => {
    const labels = await offered(`apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: a }\nspec:\n  |\n`);
    const { properties = {} } = kindSchema(kind).spec as { properties?: Record<string, unknown> };
    assert.deepEqual(missingFrom(labels, Object.keys(properties)), [], labels.join(', '));
    const metadata = await offered(`apiVersion: lockstep/v1\nkind: ${kind}\nmetadata:\n  |\n`);
    assert.deepEqual(missingFrom(metadata, ['name', 'labels', 'description']), []);
  });
}

const CONFIGS: readonly (readonly [kind: string, before: string, scope: OptionScope, status: OptionStatus])[] = [
  ['Instance', '  image: debian\n', 'instance', 'applied'],
  ['Profile', '', 'instance', 'applied'],
  ['Network', '  type: bridge\n', 'network/bridge', 'applied'],
  ['StoragePool', '  driver: dir\n', 'pool/dir', 'applied'],
  ['StoragePool', '  driver: btrfs\n', 'pool/btrfs', 'applied'],
  ['StorageVolume', '  pool: fast\n', 'volume', 'planned'],
  ['Project', '', 'project', 'planned'],
  ['NetworkForward', '  network: lan\n  listenAddress: 192.0.2.1\n', 'network-forward', 'planned'],
];

for (const [kind, before, scope, status] of CONFIGS) {
  test(`offers every config key of ${kind} (${scope})`, async () => {
    const labels = await offered(`apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: a }\nspec:\n${before}  config:\n    |\n`);
    const wanted = keysOf(scope, status);
    assert.deepEqual(missingFrom(labels, wanted), [], labels.join(', '));
  });
}

test('offers every device type, and every option of each', async () => {
  const types = await offered(`${HEAD}  devices:\n    x:\n      type: |\n`);
  assert.deepEqual(
    missingFrom(
      types,
      APPLIED_DEVICES.map((scope) => scope.slice('device/'.length)),
    ),
    [],
  );
  for (const scope of APPLIED_DEVICES) {
    const labels = await offered(`${HEAD}  devices:\n    x:\n      type: ${scope.slice('device/'.length)}\n      |\n`);
    assert.deepEqual(missingFrom(labels, keysOf(scope, 'applied')), [], `${scope}: ${labels.join(', ')}`);
    const inProfile = `apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: a }\nspec:\n  devices:\n    x:\n      type: ${scope.slice('device/'.length)}\n      |\n`;
    assert.deepEqual(missingFrom(await offered(inProfile), keysOf(scope, 'applied')), [], scope);
  }
});

test('explains every config key and device option on hover', async () => {
  for (const { key, description } of optionsOf('instance').filter(({ status, key: name }) => status === 'applied' && !name.includes('*'))) {
    const text = await hover(`${HEAD}  config:\n    ${key.slice(0, 3)}|${key.slice(3)}: x\n`);
    // The server escapes for Markdown.
    const plain = (words: string): string => words.replaceAll(/[^A-Za-z0-9]/g, '');
    assert.ok(plain((JSON.parse(text) as { contents: { value: string } }).contents.value).includes(plain(description)), `${key}: ${text}`);
  }
});

test('every example manifest is without a mark', async () => {
  const dir = join(import.meta.dirname, '../../examples/manifests');
  for (const file of readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => /\.ya?ml$/.test(name))) {
    assert.deepEqual(await service.doValidation(documentOf(readFileSync(join(dir, file), 'utf8')), false), [], file);
  }
});
