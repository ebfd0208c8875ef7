// Messages are sentences for people: every rule of a kind's schema has words of its own.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ALL_KINDS, schemaOfDocument } from '../../../src/schemas/kinds/table.ts';
import { parseManifests } from '../../../src/schemas/parse.ts';
import { EXPLAINED_KEYWORDS } from '../../../src/schemas/validate.ts';

/** Keywords that limit nothing by themselves. */
const SILENT = new Set(['description', 'examples', 'default', 'properties', 'patternProperties', 'items', '$id', '$schema', 'title']);

function keywordsOf(schema: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof schema !== 'object' || schema === null) return found;
  for (const [keyword, value] of Object.entries(schema)) {
    if (!SILENT.has(keyword)) found.add(keyword);
    if (keyword === 'properties' || keyword === 'patternProperties')
      for (const each of Object.values(value as object)) keywordsOf(each, found);
    else if (keyword !== 'enum' && keyword !== 'examples' && keyword !== 'default') {
      for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) keywordsOf(each, found);
    }
  }
  return found;
}

function messages(text: string): string[] {
  return parseManifests([{ path: 'a.yaml', text, source: 'test' }]).problems.map(({ message }) => message);
}

describe('messages', () => {
  for (const kind of ALL_KINDS) {
    it(`of ${kind}: every keyword of its schema is explained`, () => {
      const unexplained = keywordsOf(schemaOfDocument(kind)).difference(EXPLAINED_KEYWORDS);
      assert.deepEqual([...unexplained], []);
    });
  }

  it('of limits say the limit', () => {
    const pool = (metadata: string) => `apiVersion: lockstep/v1\nkind: StoragePool\nmetadata: ${metadata}\nspec: { driver: dir }\n`;
    assert.ok(messages(pool('{ name: "" }')).includes('"name" must not be empty.'));
    assert.ok(messages(pool(`{ name: ${'a'.repeat(64)} }`)).includes('"name" must have at most 63 characters.'));
    assert.ok(messages(pool(`{ name: a, description: ${'a'.repeat(5000)} }`)).includes('"description" must have at most 4096 characters.'));
  });

  it('of a volume as a disk speak of the volume, not of a path', () => {
    const text = `apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: p }\nspec:\n  devices:\n    data: { type: disk, pool: fast, source: data, path: /srv }\n`;
    assert.deepEqual(messages(text), ['Attaching a volume of a pool (disk "data") is not supported yet.']);
  });

  it('tell all mistakes of a document at once, and none that only follows from another', () => {
    const text = instance(
      'imgae: debian',
      'profiles: default',
      'config: { limits.cpus: "2", limits.memory: 10 Gigs }',
      'devices: { e: { type: nick } }',
    );
    assert.deepEqual(problems(text), [
      '5:3 The key "imgae" is not known here. Did you mean "image"?',
      '6:13 "profiles" must be a list (- item), not the text "default".',
      '7:13 The key "limits.cpus" is not known in the config of an instance. Did you mean "limits.cpu"?',
      '7:46 The value of "limits.memory" is "10 Gigs" but must be a size such as 512MiB or 2GiB, or a percentage of the host such as 50%. Did you mean "10GiB"?',
      '8:25 The device type "nick" is not known. Did you mean "nic"?',
    ]);
    assert.deepEqual(problems(instance('image: ""')), ['5:10 "image" must not be empty.']);
  });

  it('of a config key in the wrong place say the right one', () => {
    assert.deepEqual(problems(instance('image: debian', 'limits.cpu: 2')), [
      '6:3 The key "limits.cpu" is not known here. It is a config key: put it below "config", further indented.',
    ]);
  });
});

const SYNTAX: readonly (readonly [what: string, lines: readonly string[], problem: string])[] = [
  [
    'a double quote',
    ['image: "debian', 'state: Running'],
    '5:10 The quote " that is opened here is not closed. A " is missing, here or in one of the next lines.',
  ],
  [
    'a single quote',
    ["image: 'debian"],
    "5:10 The quote ' that is opened here is not closed. A ' is missing, here or in one of the next lines.",
  ],
  [
    'a brace',
    ['config: { a: b', 'state: Running'],
    '5:11 The bracket { that is opened here is not closed. A } is missing, here or in one of the next lines.',
  ],
  [
    'an inner bracket',
    ['config: { a: b }', 'profiles: [ a, b', 'state: Running'],
    '6:13 The bracket [ that is opened here is not closed. A ] is missing, here or in one of the next lines.',
  ],
  [
    'a closing brace too many',
    ['image: debian', 'config: }'],
    '6:11 There is a "}" without a "{" before it. Remove it, or quote the text it is part of.',
  ],
  [
    'a missing colon',
    ['image debian'],
    '5:3 "spec" must be a map (key: value), not the text "image debian". Perhaps a ":" is missing after a key.',
  ],
  ['a second colon', ['image: debian: 12'], '5:10 There is a second ": " in this line. Quote a value that holds ": ".'],
  ['a reserved character', ['image: @debian'], '5:10 A value cannot begin with "@" unless it is quoted. Put the value in quotes.'],
];

describe('messages about YAML itself', () => {
  for (const [what, lines, problem] of SYNTAX) {
    it(`${what}: says what is wrong, at the place to mend`, () => assert.deepEqual(problems(instance(...lines)), [problem]));
  }

  it('never are those of the parser', () => {
    const broken = [
      'image: "',
      'config: {',
      'config: [ {',
      'a: b: c',
      '- x',
      ' image: x',
      '\timage: x',
      'image: @',
      'image: "\\q"',
      '? - a',
      'x: }',
      'x: ]',
      'x: [ a b: c',
      '{ a, , b }',
      'image: |x',
      '"a" b: c',
      'a: "b" c',
      '%x',
      '!x y: z',
      '&a &b c: d',
      'a: [\n- b ]',
      'x: {a:1}',
    ];
    const parser =
      /flow[- ](?:map|seq|collection)|block (?:map|seq|collection)|implicit|plain value|scalar|token|must NOT|sufficiently|compact mappings/i;
    for (const line of broken) {
      for (const found of problems(instance('image: debian', line))) assert.doesNotMatch(found, parser, `${line}: ${found}`);
    }
  });
});

function instance(...lines: readonly string[]): string {
  return `apiVersion: lockstep/v1\nkind: Instance\nmetadata: { name: web }\nspec:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function problems(text: string): string[] {
  const found = parseManifests([{ path: 'a.yaml', text, source: 'test' }]).problems;
  return found.map(({ line, column, message, hint }) => `${line}:${column} ${message}${hint === undefined ? '' : ` ${hint}`}`);
}
