// Instances that wait for each other in a circle would never start. The circle is printed.
import { makeRef } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { InstanceManifest } from '../kinds/instance.ts';
import type { CheckContext, CheckFinding } from './context.ts';

interface Edge {
  readonly to: ManifestDocument;
  /** Index in dependsOn. */
  readonly at: number;
}

export function dependencyCycles(context: CheckContext): readonly CheckFinding[] {
  const findings: CheckFinding[] = [];
  const done = new Set<ManifestDocument>();
  for (const start of context.ofKind('Instance')) {
    if ((start.spec as InstanceManifest).dependsOn !== undefined && !done.has(start)) findings.push(...cyclesFrom(start, context, done));
  }
  return findings;
}

/** Depth-first without recursion: a chain of thousands of dependencies is fine. */
function cyclesFrom(start: ManifestDocument, context: CheckContext, done: Set<ManifestDocument>): CheckFinding[] {
  const findings: CheckFinding[] = [];
  const path: { document: ManifestDocument; edges: readonly Edge[]; next: number }[] = [];
  const position = new Map<ManifestDocument, number>();
  function enter(document: ManifestDocument): void {
    position.set(document, path.length);
    path.push({ document, edges: edgesOf(document, context), next: 0 });
  }
  enter(start);
  while (path.length > 0) {
    const top = path.at(-1)!;
    const edge = top.edges[top.next++];
    if (edge === undefined) {
      path.pop();
      position.delete(top.document);
      done.add(top.document);
      continue;
    }
    const seenAt = position.get(edge.to);
    if (seenAt !== undefined) {
      const members = path.slice(seenAt).map((step) => step.document);
      findings.push(cycleFinding(members, top.document, edge.at));
    } else if (!done.has(edge.to)) {
      enter(edge.to);
    }
  }
  return findings;
}

function edgesOf(document: ManifestDocument, context: CheckContext): Edge[] {
  const { dependsOn = [] } = document.spec as InstanceManifest;
  return dependsOn.flatMap(({ name }, at) => {
    const to = context.document(makeRef('Instance', name, { project: document.ref.project }));
    return to === undefined ? [] : [{ to, at }];
  });
}

function cycleFinding(members: readonly ManifestDocument[], document: ManifestDocument, at: number): CheckFinding {
  const names = [...members, members[0]!].map((member) => member.ref.name);
  const circle = names.length > 12 ? [...names.slice(0, 10), '...', names.at(-1)!] : names;
  const message =
    members.length === 1 ? `The instance "${names[0]}" depends on itself.` : `These instances wait for each other: ${circle.join(' -> ')}.`;
  const finding = { path: ['spec', 'dependsOn', at], rule: 'dependency-cycle', message, hint: 'Remove one of these dependencies.' };
  return { document, finding, unusable: members };
}
