// What a kind's schema cannot say by itself: names, keys of the option registry, options that are still to come. Pure, per document.
import { instanceNameProblem, objectNameProblem } from '../core/names.ts';
import { DEFAULT_PROJECT, type KindName } from '../core/ref.ts';
import type { Metadata } from './document.ts';
import { type Finding, notYet } from './finding.ts';
import { instanceFindings } from './instance-rules.ts';
import type { ImageManifest } from './kinds/image.ts';
import type { InstanceManifest } from './kinds/instance.ts';
import type { NetworkManifest } from './kinds/network.ts';
import type { ProfileManifest } from './kinds/profile.ts';
import type { StoragePoolManifest } from './kinds/storage-pool.ts';
import { configFindings, deviceFindings } from './option-findings.ts';
import { plannedKindFindings } from './planned-kind-rules.ts';
import { isOptionScope, PLANNED_SCOPES } from './registry.ts';
import { hasControl } from './value-type.ts';

const CONFIG = ['spec', 'config'] as const;
const DEVICES = ['spec', 'devices'] as const;

/** Findings about a document that its schema accepts. */
export function kindFindings(kind: KindName, metadata: Metadata, spec: unknown): Finding[] {
  const findings = metadataFindings(kind, metadata);
  // The document was validated against the schema these types are derived from.
  if (kind === 'Instance') findings.push(...instanceFindings(spec as InstanceManifest));
  else if (kind === 'Profile') findings.push(...profileFindings(spec as ProfileManifest));
  else if (kind === 'Image') findings.push(...imageFindings(spec as ImageManifest));
  else if (kind === 'Network') findings.push(...networkFindings(spec as NetworkManifest));
  else if (kind === 'StoragePool') findings.push(...poolFindings(spec as StoragePoolManifest));
  else findings.push(...plannedKindFindings(kind, metadata, spec));
  return findings;
}

function metadataFindings(kind: KindName, metadata: Metadata): Finding[] {
  const findings: Finding[] = [];
  const bad = nameProblem(kind, metadata.name);
  if (bad !== undefined) findings.push({ path: ['metadata', 'name'], rule: 'name', message: `The name "${metadata.name}" ${bad}.` });
  if (metadata.project !== undefined && metadata.project !== DEFAULT_PROJECT) {
    findings.push(notYet(['metadata', 'project'], `Projects other than "${DEFAULT_PROJECT}" are`, 'Remove the key.'));
  }
  if (metadata.renamedFrom !== undefined) findings.push(...renameFindings(kind, metadata.name, metadata.renamedFrom));
  for (const map of ['labels', 'annotations'] as const) {
    for (const [key, value] of Object.entries(metadata[map] ?? {})) {
      if (map === 'labels' && (hasControl(value) || value.length > 255)) {
        findings.push({
          path: ['metadata', map, key],
          rule: 'value',
          message: `The label "${key}" must be one line of at most 255 characters.`,
        });
      }
    }
  }
  return findings;
}

const RENAMABLE: ReadonlySet<KindName> = new Set<KindName>(['Instance', 'Profile', 'Image']);

function renameFindings(kind: KindName, name: string, former: string): Finding[] {
  const path = ['metadata', 'renamedFrom'];
  if (!RENAMABLE.has(kind)) {
    const message = `Objects of kind ${kind} cannot be renamed: ${kind === 'Network' ? 'its bridge has the name' : 'what lies on the host has the name'}.`;
    return [{ path, inKey: true, rule: 'rename', message, hint: 'Declare another one beside it, move what uses it, and remove it then.' }];
  }
  if (former === name) return [{ path, rule: 'rename', message: `"${name}" cannot be renamed from itself.`, hint: 'Remove the key.' }];
  const bad = nameProblem(kind, former);
  return bad === undefined ? [] : [{ path, rule: 'name', message: `The former name "${former}" ${bad}.` }];
}

function nameProblem(kind: KindName, name: string): string | undefined {
  if (kind === 'Instance' || kind === 'InstanceSet') return instanceNameProblem(name);
  // A project's name may not hold "_": the LXC name is PROJECT_NAME and must parse back.
  if (kind === 'Project' && name.includes('_')) return 'must not contain "_"';
  return objectNameProblem(name);
}

function profileFindings(spec: ProfileManifest): Finding[] {
  return [...configFindings('instance', spec.config ?? {}, CONFIG), ...deviceFindings(spec.devices ?? {}, DEVICES)];
}

const SOURCES = ['build', 'file', 'url', 'simplestreams', 'oci'] as const;

function imageFindings({ source }: ImageManifest): Finding[] {
  const at = ['spec', 'source'] as const;
  const given = SOURCES.filter((key) => source[key] !== undefined);
  const [only] = given;
  if (only === undefined || given.length > 1) {
    const message = only === undefined ? 'The image has no source.' : `The image has ${given.length} sources: ${given.join(', ')}.`;
    return [{ path: at, inKey: true, rule: 'image-source', message, hint: 'Give exactly one of "build" and "file".' }];
  }
  if (only !== 'build' && only !== 'file') return [notYet([...at, only], `Images by "${only}" are`, 'Use "build" or "file".')];
  const findings: Finding[] = [];
  for (const key of ['rootfs', 'sha256', 'alias'] as const) {
    if (source[key] !== undefined && (only !== 'file' || key === 'alias')) findings.push(misplaced([...at, key], key, only));
  }
  for (const key of ['file', 'rootfs'] as const) {
    const path = source[key];
    if (path !== undefined && !path.startsWith('/')) {
      findings.push({ path: [...at, key], rule: 'value', message: `"${key}" must be an absolute path.` });
    }
  }
  const { build } = source;
  if (build?.type === 'debian' && build.release === undefined) {
    findings.push({
      path: [...at, 'build'],
      inKey: true,
      rule: 'required',
      message: 'A Debian build lacks the key "release".',
      hint: 'For example: release: bookworm.',
    });
  }
  if (build?.type === 'busybox') {
    for (const key of ['release', 'packages', 'variant', 'mirror'] as const) {
      if (build[key] !== undefined) findings.push(misplaced([...at, 'build', key], key, 'a busybox build'));
    }
  }
  return findings;
}

function misplaced(path: readonly string[], key: string, where: string): Finding {
  return { path, inKey: true, rule: 'image-source', message: `The key "${key}" does not go with ${where}.`, hint: 'Remove it.' };
}

function networkFindings({ type = 'bridge', config = {} }: NetworkManifest): Finding[] {
  return typedConfigFindings(`network/${type}`, `Networks of type "${type}" are`, ['spec', 'type'], config);
}

function poolFindings({ driver, config = {} }: StoragePoolManifest): Finding[] {
  return typedConfigFindings(`pool/${driver}`, `Pools with driver "${driver}" are`, ['spec', 'driver'], config);
}

function typedConfigFindings(
  scope: string,
  subject: string,
  typePath: readonly string[],
  config: Readonly<Record<string, string>>,
): Finding[] {
  if (!isOptionScope(scope)) return [notYet(typePath, subject)];
  const findings = configFindings(scope, config, CONFIG);
  return PLANNED_SCOPES.has(scope) ? [...findings, notYet(typePath, subject)] : findings;
}
