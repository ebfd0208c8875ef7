// What the schemas of the kinds that are still to come cannot say by themselves: keys and values of their options, and what must not
// stand together. Pure, per document. That the kind itself is not supported is told with the checks over several documents, last.
import { instanceNameProblem } from '../core/names.ts';
import type { KindName } from '../core/ref.ts';
import type { FieldPath, Metadata } from './document.ts';
import { type Finding, shown } from './finding.ts';
import { instanceFindings } from './instance-rules.ts';
import type { InstanceSetManifest } from './kinds/instance-set.ts';
import type { NetworkAclManifest } from './kinds/network-acl.ts';
import type { NetworkForwardManifest } from './kinds/network-forward.ts';
import type { ProjectManifest } from './kinds/project.ts';
import type { StorageVolumeManifest } from './kinds/storage-volume.ts';
import type { ConfigMap } from './merge.ts';
import { configFindings } from './option-findings.ts';
import type { OptionScope } from './registry.ts';
import { addressValue } from './value-type.ts';

const CONFIG = ['spec', 'config'] as const;

/** Findings about a document that its schema accepts. */
export function plannedKindFindings(kind: KindName, metadata: Metadata, spec: unknown): Finding[] {
  // The document was validated against the schema these types are derived from.
  if (kind === 'StorageVolume') return configFindings('volume', (spec as StorageVolumeManifest).config ?? {}, CONFIG);
  if (kind === 'Project') return configFindings('project', (spec as ProjectManifest).config ?? {}, CONFIG);
  if (kind === 'NetworkACL') return aclFindings(spec as NetworkAclManifest);
  if (kind === 'NetworkForward') return forwardFindings(spec as NetworkForwardManifest);
  return kind === 'InstanceSet' ? setFindings(metadata, spec as InstanceSetManifest) : [];
}

function aclFindings(spec: NetworkAclManifest): Finding[] {
  const findings = userKeysOnly(spec.config ?? {}, 'a network ACL', []);
  for (const direction of ['ingress', 'egress'] as const) {
    for (const [at, rule] of (spec[direction] ?? []).entries()) findings.push(...ruleFindings(rule, ['spec', direction, at]));
  }
  return findings;
}

function ruleFindings(rule: ConfigMap, path: FieldPath): Finding[] {
  const findings = configFindings('network-acl/rule', rule, path);
  const { action, protocol } = rule;
  if (action === undefined) findings.push(lacks(path, 'The rule', 'action', 'allow, allow-stateless, reject or drop.'));
  for (const key of ['source_port', 'destination_port']) {
    if (rule[key] !== undefined && protocol !== 'tcp' && protocol !== 'udp') findings.push(needsProtocol(path, key, 'tcp or udp'));
  }
  for (const key of ['icmp_type', 'icmp_code']) {
    if (rule[key] !== undefined && protocol !== 'icmp4' && protocol !== 'icmp6') findings.push(needsProtocol(path, key, 'icmp4 or icmp6'));
  }
  return findings;
}

function needsProtocol(path: FieldPath, key: string, protocols: string): Finding {
  const message = `The key "${key}" needs the protocol ${protocols}.`;
  return { path: [...path, key], inKey: true, rule: 'acl-rule', message, hint: `Set "protocol", or remove "${key}".` };
}

function forwardFindings(spec: NetworkForwardManifest): Finding[] {
  const findings = userKeysOnly(spec.config ?? {}, 'a network forward', ['target_address']);
  const listens = addressValue.parse(spec.listenAddress);
  if (!listens.ok) {
    const message = `The value of "listenAddress" is ${JSON.stringify(spec.listenAddress)} but must be ${listens.expected}.`;
    findings.push({ path: ['spec', 'listenAddress'], rule: 'value', message });
  }
  const taken = new Map<string, number>();
  for (const [at, port] of (spec.ports ?? []).entries()) {
    const path = ['spec', 'ports', at];
    findings.push(...prefixed('network-forward', 'ports.', port, path));
    for (const [key, example] of [
      ['protocol', 'tcp or udp.'],
      ['listen_port', 'For example 80 or 8000-8010.'],
      ['target_address', 'An address of the network.'],
    ] as const) {
      if (port[key] === undefined) findings.push(lacks(path, 'The port rule', key, example));
    }
    for (const one of (port['listen_port'] ?? '').split(',')) {
      const what = `${port['protocol']} port ${one.trim()}`;
      const before = taken.get(what);
      if (before === undefined) taken.set(what, at);
      else {
        const message = `The ${what} is given twice: here and in ports[${before}].`;
        findings.push({ path: [...path, 'listen_port'], rule: 'duplicate', message, hint: 'Keep one of them.' });
      }
    }
  }
  return findings;
}

/** The registry names the fields of a list's items with the list's name in front. */
function prefixed(scope: OptionScope, prefix: string, item: ConfigMap, path: FieldPath): Finding[] {
  const named = Object.fromEntries(Object.entries(item).map(([key, value]) => [prefix + key, value]));
  return configFindings(scope, named, path).map((finding) => ({
    ...finding,
    path: [...path, String(finding.path.at(-1)).slice(prefix.length)],
    message: finding.message.replaceAll(`"${prefix}`, '"'),
    ...(finding.hint === undefined ? {} : { hint: finding.hint.replaceAll(`"${prefix}`, '"') }),
  }));
}

function userKeysOnly(config: ConfigMap, what: string, known: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  for (const [key, value] of Object.entries(config)) {
    if (key.startsWith('user.') && key.length > 'user.'.length) continue;
    if (known.includes(key)) findings.push(...configFindings('network-forward', { [key]: value }, CONFIG));
    else {
      const hint = `Known here: ${[...known, 'user.*'].join(', ')}.`;
      const message = `The key ${shown(key)} is not known in the config of ${what}.`;
      findings.push({ path: [...CONFIG, key], inKey: true, rule: 'unknown-key', message, hint });
    }
  }
  return findings;
}

function setFindings(metadata: Metadata, { replicas, template }: InstanceSetManifest): Finding[] {
  const findings = instanceFindings(template.spec).map((finding) => ({ ...finding, path: ['spec', 'template', ...finding.path] }));
  const longest = `${metadata.name}-${Math.max(0, replicas - 1)}`;
  const bad = instanceNameProblem(longest);
  if (bad !== undefined && findings.length === 0 && instanceNameProblem(metadata.name) === undefined) {
    const message = `The name "${longest}" that an instance of this set would get ${bad}.`;
    findings.push({ path: ['metadata', 'name'], rule: 'name', message });
  }
  return findings;
}

function lacks(path: FieldPath, subject: string, key: string, hint: string): Finding {
  return { path, rule: 'required', message: `${subject} lacks the key "${key}".`, hint };
}
