// Names of objects nobody declares: profiles, images, networks, pools, dependencies.
import { type KindName, makeRef } from '../../core/ref.ts';
import type { ManifestDocument } from '../document.ts';
import type { Finding } from '../finding.ts';
import type { InstanceManifest } from '../kinds/instance.ts';
import { DEFAULT_PROFILE, layerOf, mergedLayer, profileNames } from '../merge.ts';
import { nearest } from '../nearest.ts';
import { type CheckContext, type CheckFinding, deviceFinding, type DocumentCheck, type ExpandedDevice } from './context.ts';

const FINGERPRINT = /^[0-9a-f]{12,64}$/;

export const danglingReferences: DocumentCheck = {
  of: ['Instance', 'Profile'],
  check: (document, context) => (document.kind === 'Profile' ? ofProfile(document, context) : ofInstance(document, context)),
};

function ofInstance(instance: ManifestDocument, context: CheckContext): CheckFinding[] {
  const own = instanceFindings(context, instance).map((finding) => ({ document: instance, finding, unusable: [instance] }));
  return [...own, ...context.devicesOf(instance).flatMap((device) => deviceFindings(context, device))];
}

/** A profile that no instance uses yet is looked at as well. */
function ofProfile(profile: ManifestDocument, context: CheckContext): CheckFinding[] {
  const findings: CheckFinding[] = [];
  for (const [name, { options, from }] of mergedLayer(layerOf(profile)).devices) {
    const found = deviceFindings(context, { instance: profile, name, options, from });
    findings.push(...found.map((one) => ({ ...one, unusable: [] })));
  }
  return findings;
}

function instanceFindings(context: CheckContext, instance: ManifestDocument): Finding[] {
  const findings: Finding[] = [];
  const { project } = instance.ref;
  const { image, dependsOn = [] } = instance.spec as InstanceManifest;
  for (const [at, name] of profileNames(instance).entries()) {
    if (name === DEFAULT_PROFILE || context.isDeclared(makeRef('Profile', name, { project }))) continue;
    findings.push({ path: ['spec', 'profiles', at], ...missing(context, 'Profile', name) });
  }
  if (!context.isDeclared(makeRef('Image', image, { project }))) {
    const hint = FINGERPRINT.test(image) ? { hint: 'Fingerprints are not supported yet: declare an Image and name it here.' } : {};
    findings.push({ path: ['spec', 'image'], ...missing(context, 'Image', image), ...hint });
  }
  for (const [at, { name }] of dependsOn.entries()) {
    if (context.isDeclared(makeRef('Instance', name, { project }))) continue;
    findings.push({ path: ['spec', 'dependsOn', at, 'name'], ...missing(context, 'Instance', name) });
  }
  return findings;
}

function deviceFindings(context: CheckContext, device: ExpandedDevice): CheckFinding[] {
  const { network, pool } = device.options;
  const findings: CheckFinding[] = [];
  if (network !== undefined && !context.isDeclared(makeRef('Network', network, { project: device.instance.ref.project }))) {
    findings.push(deviceFinding(device, 'network', missing(context, 'Network', network)));
  }
  if (pool !== undefined && !context.isDeclared(makeRef('StoragePool', pool))) {
    findings.push(deviceFinding(device, 'pool', missing(context, 'StoragePool', pool)));
  }
  return findings;
}

export function missing(context: CheckContext, kind: KindName, name: string): Omit<Finding, 'path'> {
  const names = context.ofKind(kind).map((document) => document.ref.name);
  const near = nearest(name, names);
  const declared =
    names.length === 0 ? `No ${kind} is declared.` : `Declared: ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', ...' : ''}.`;
  return {
    rule: 'dangling-reference',
    message: `There is no ${kind} "${name}".`,
    hint: near === undefined ? declared : `Did you mean "${near}"?`,
  };
}
