// What the schema of an Instance cannot say by itself. Also holds for the template of an InstanceSet.
import { type Finding, notYet } from './finding.ts';
import type { InstanceManifest } from './kinds/instance.ts';
import { parseMaxUnavailable } from './kinds/update.ts';
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
  findings.push(...updateFindings(spec.update ?? {}));
  const seen = new Set<string>();
  for (const [at, profile] of (spec.profiles ?? []).entries()) {
    if (seen.has(profile))
      findings.push({ path: ['spec', 'profiles', at], rule: 'duplicate', message: `The profile "${profile}" is listed twice.` });
    seen.add(profile);
  }
  if (spec.image.includes(':')) findings.push(notYet(['spec', 'image'], 'Images of remote servers are', 'Name an Image object.'));
  return findings;
}

function updateFindings({ restart, maxUnavailable }: NonNullable<InstanceManifest['update']>): Finding[] {
  const findings: Finding[] = [];
  if (restart === 'Window') {
    findings.push(notYet(['spec', 'update', 'restart'], 'Restarting only in maintenance windows is', 'Use "Auto" or "Manual".'));
  }
  if (maxUnavailable !== undefined && parseMaxUnavailable(maxUnavailable) === undefined) {
    const message = `"maxUnavailable" is ${JSON.stringify(maxUnavailable)}, which is neither a number from 1 to 9999 nor a percentage from 1% to 100%.`;
    findings.push({ path: ['spec', 'update', 'maxUnavailable'], rule: 'value', message, hint: 'For example: 2 or 25%.' });
  }
  return findings;
}
