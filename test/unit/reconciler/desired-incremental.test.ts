// What is remembered between two computations of the desired state must not show: after any series of edits it is what it would be from
// scratch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { kinds } from '../../../src/kinds/registry.ts';
import { computeDesired, type DesiredState, emptyDesiredCache, NOTHING_DESIRED } from '../../../src/reconciler/desired.ts';

function document(kind: string, name: string, spec: string): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
}

const name = fc.constantFrom('a', 'b', 'c');
const maybe = (text: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof(text, fc.constant(''));
const instance = fc
  .tuple(
    name,
    fc.constantFrom('box', 'gone'),
    maybe(name.map((one) => `, profiles: [${one}]`)),
    maybe(name.map((one) => `, dependsOn: [{ kind: Instance, name: ${one} }]`)),
    maybe(fc.constantFrom(', state: Stopped', ', config: { limits.cpu: 2 }', ', config: { limits.cpu: two }')),
    maybe(
      fc.tuple(name, fc.integer({ min: 1, max: 3 })).map(([net, at]) => `eth0: { type: nic, network: ${net}, ipv4.address: 10.0.0.${at} }`),
    ),
  )
  .map(([own, image, profiles, needs, more, nic]) =>
    document('Instance', own, `{ image: ${image}${profiles}${needs}${more}, devices: { ${nic} } }`),
  );
const profile = fc
  .tuple(
    name,
    fc.constantFrom(
      'root: { type: disk, path: /, pool: a }',
      'root: { type: disk, path: /, pool: b }',
      'eth1: { type: nic, network: b }',
      '',
    ),
  )
  .map(([own, devices]) => document('Profile', own, `{ devices: { ${devices} } }`));
const network = fc
  .tuple(name, fc.constantFrom('10.0.0.1/24', '10.0.0.1/30', '10.0.1.1/24', 'none'))
  .map(([own, subnet]) => document('Network', own, `{ type: bridge, config: { ipv4.address: ${subnet} } }`));
const pool = name.map((own) => document('StoragePool', own, '{ driver: dir }'));
const image = fc.constant(document('Image', 'box', '{ source: { build: { type: busybox } } }'));
const broken = fc.constantFrom('kind: [', 'apiVersion: lockstep/v1\nkind: Profile\nmetadata: { name: a }\nspec: { devises: {} }\n');
const file = fc.array(fc.oneof({ weight: 4, arbitrary: instance }, profile, network, pool, image, broken), { minLength: 1, maxLength: 3 });
/** A file gets other documents, or is removed. */
const edit = fc.record({
  path: fc.constantFrom('1.yaml', '2.yaml', '3.yaml', '4.yaml'),
  text: fc.option(file.map((documents) => documents.join('---\n'))),
});

function compute(texts: ReadonlyMap<string, string>, cache = emptyDesiredCache(), previous = NOTHING_DESIRED): DesiredState {
  const files = [...texts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([path, text]) => ({ path, text }));
  const snapshot = { source: 'git', revision: 'r', files, complete: true, since: 0 };
  return computeDesired([{ name: 'git', snapshot }], [], kinds, cache, previous.objects);
}

/** Without what was kept from an earlier state, which nothing from scratch can know. */
function facts({ objects, unresolved, problems }: DesiredState): unknown {
  const kept = new Set([...objects.values()].filter((object) => object.kept).map((object) => object.key));
  return {
    objects: [...objects.values()]
      .filter((object) => !object.kept)
      .map(({ key, specHash, needs, document: { origin } }) => ({ key, specHash, needs, at: `${origin.file}:${origin.line}` })),
    left: [...unresolved.keys(), ...kept].toSorted(),
    problems: problems.map(({ file: where, line, rule, message }) => `${where}:${line} ${rule} ${message}`).toSorted(),
  };
}

test('after any edits, the desired state is what it is from scratch', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 2, maxLength: 12 }), (edits) => {
      const cache = emptyDesiredCache();
      const texts = new Map<string, string>();
      let state = NOTHING_DESIRED;
      for (const { path, text } of edits) {
        if (text === null) texts.delete(path);
        else texts.set(path, text);
        state = compute(texts, cache, state);
        assert.deepEqual(facts(state), facts(compute(texts)));
      }
    }),
    { numRuns: 300 },
  );
});

test('what an edit does not touch stays the very same object, with the revision it came with', () => {
  const cache = emptyDesiredCache();
  const base =
    document('Image', 'box', '{ source: { build: { type: busybox } } }') + `---\n${document('StoragePool', 'a', '{ driver: dir }')}`;
  const root = 'devices: { root: { type: disk, path: /, pool: a } }';
  const texts = new Map([
    ['base.yaml', base],
    ['x.yaml', document('Instance', 'x', `{ image: box, ${root} }`)],
    ['y.yaml', document('Instance', 'y', `{ image: box, ${root} }`)],
  ]);
  const first = compute(texts, cache);
  texts.set('x.yaml', document('Instance', 'x', `{ image: box, state: Stopped, ${root} }`));
  const second = compute(texts, cache, first);
  const changed = [...second.objects].filter(([key, object]) => first.objects.get(key) !== object).map(([key]) => key);
  assert.deepEqual(changed, ['Instance/default/-/x']);
});
