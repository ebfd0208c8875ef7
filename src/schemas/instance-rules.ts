// What the schema of an Instance cannot say by itself. Also holds for the template of an InstanceSet.
import { type Finding, notYet } from './finding.ts';
import type { InstanceManifest } from './kinds/instance.ts';
import { configFindings, deviceFindings } from './option-findings.ts';

const CONFIG = ['spec', 'config'] as const;
const DEVICES = ['spec', 'devices'] as const;

export function instanceFindings(spec: InstanceManifest): Finding[] {
  const findings = [...configFindings('instance', spec.config ?? {}, CONFIG), ...deviceFindings(spec.devices ?? {}, DEVICES)];
  for (const [at, dependency] of (spec.dependsOn ?? []).entries()) {
    if (dependency.condition === 'Healthy') {
      findings.push(notYet(['spec', 'dependsOn', at, 'condition'], 'The condition "Healthy" is', 'Use "Running".'));
    }
  }
  const seen = new Set<string>();
  for (const [at, profile] of (spec.profiles ?? []).entries()) {
    if (seen.has(profile))
      findings.push({ path: ['spec', 'profiles', at], rule: 'duplicate', message: `The profile "${profile}" is listed twice.` });
    seen.add(profile);
  }
  if (spec.image.includes(':')) findings.push(notYet(['spec', 'image'], 'Images of remote servers are', 'Name an Image object.'));
  return findings;
}
