// What Lockstep makes of a stack: the same layers as manifests, parsed and expanded as the daemon does it.
import { expandInstance } from '../../src/schemas/merge.ts';
import { parseManifests } from '../../src/schemas/parse.ts';
import { refKey } from '../../src/core/ref.ts';
import type { Stack } from './random-stack.ts';
import type { Expansion } from './stacks.ts';

/** Throws when Lockstep refuses a manifest of the stack. */
export function expandStack(stack: Stack): Expansion {
  const manifests: unknown[] = Object.entries(stack.profiles).map(([name, spec]) => manifest('Profile', name, spec));
  const { apply, instance } = stack;
  manifests.push(manifest('Instance', 'stack', { image: 'any', ...(apply === null ? {} : { profiles: apply }), ...instance }));
  const text = manifests.map((one) => `---\n${JSON.stringify(one)}\n`).join('');
  const { documents, problems } = parseManifests([{ path: 'stack.yaml', text, source: 'compare' }]);
  if (problems.length > 0) throw new Error(problems.map(({ field, message }) => `${field}: ${message}`).join('\n'));
  const byRef = new Map(documents.map((document) => [refKey(document.ref), document]));
  const top = documents.find(({ kind }) => kind === 'Instance');
  if (top === undefined) throw new Error('The stack has no instance.');
  const { merged, config } = expandInstance(top, { document: (ref) => byRef.get(refKey(ref)) });
  const devices = [...merged.devices].map(([name, { options }]) => [name, options] as const);
  return { config, devices: Object.fromEntries(devices) };
}

function manifest(kind: string, name: string, spec: unknown): unknown {
  return { apiVersion: 'lockstep/v1', kind, metadata: { name }, spec };
}
