// The editor schema in the language server that editors use for YAML: what it offers, what it says on hover, and what it underlines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TextDocument } from 'vscode-languageserver-textdocument';
import languageServer from 'yaml-language-server/out/server/src/languageservice/yamlLanguageService.js';
import { editorSchema } from '../../src/schemas/editor-schema.ts';

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
