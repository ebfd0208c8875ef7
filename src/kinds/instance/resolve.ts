// From an instance's document to its typed spec: profiles merged, defaults filled in, strings turned into numbers. Offline; problems are
// located in the document that the value comes from, which may be a profile.
import { AppError } from '../../core/errors.ts';
import { DEFAULT_PROJECT, makeRef, type ResourceRef } from '../../core/ref.ts';
import type { SoftHard } from '../../core/units.ts';
import type { LimitSpec } from '../../host/cgroup/knobs.ts';
import type { FieldPath, ManifestDocument } from '../../schemas/document.ts';
import { type Finding, problemIn } from '../../schemas/finding.ts';
import { type Expanded, expandInstance } from '../../schemas/merge.ts';
import type { Problem } from '../../schemas/problem.ts';
import { type OptionKey, optionValue, type OptionValue } from '../../schemas/registry.ts';
import type { InstanceManifest } from '../../schemas/kinds/instance.ts';
import { parseMaxUnavailable } from '../../schemas/kinds/update.ts';
import type { Lookup, Resolved } from '../kind.ts';
import { settingProblem } from './config-text.ts';
import { resolveDevices } from './resolve-devices.ts';
import type { CloudInitSpec, Dependency, InstanceSpec, UpdateRules } from './spec.ts';

export function resolve(document: ManifestDocument, lookup: Lookup): Resolved<InstanceSpec> {
  const expanded = expandInstance(document, lookup);
  const problems: Problem[] = [...expanded.problems];
  const manifest = document.spec as InstanceManifest;
  const typed = resolveConfig(document, expanded, problems);
  const devices = resolveDevices(document, expanded, lookup, problems);
  if (problems.some((problem) => problem.severity === 'error') || typed === undefined || devices.root === undefined) {
    return { spec: undefined, problems };
  }
  const spec: InstanceSpec = {
    image: imageRef(manifest.image, document, lookup),
    profiles: expanded.profiles.map((profile) => profile.name),
    state: manifest.state ?? 'Running',
    restart: manifest.restart?.policy ?? 'Always',
    update: updateRules(manifest),
    ...typed,
    protect: manifest.protect === true || typed.protect,
    config: expanded.config,
    devices: expanded.devices,
    root: devices.root,
    deviceList: devices.list,
    dependsOn: dependencies(manifest, document),
  };
  return { spec, problems };
}

/** An image of the instance's own project, else of the default one. That it is declared is checked with all other references. */
function imageRef(name: string, document: ManifestDocument, lookup: Lookup): ResourceRef {
  const own = makeRef('Image', name, { project: document.ref.project });
  return lookup.document(own) === undefined ? makeRef('Image', name, { project: DEFAULT_PROJECT }) : own;
}

function dependencies(manifest: InstanceManifest, document: ManifestDocument): Dependency[] {
  return (manifest.dependsOn ?? []).map(({ kind, name }) => ({
    ref: makeRef(kind, name, { project: document.ref.project }),
    condition: 'Running',
  }));
}

/** `Window` and a wrong number are refused before anything is resolved. */
function updateRules({ update = {} }: InstanceManifest): UpdateRules {
  return {
    restart: update.restart === 'Manual' ? 'Manual' : 'Auto',
    recreate: update.recreate ?? 'Confirm',
    followImage: update.image === 'Follow',
    maxUnavailable: (update.maxUnavailable === undefined ? undefined : parseMaxUnavailable(update.maxUnavailable)) ?? { percent: 10 },
  };
}

type TypedConfig = Omit<
  InstanceSpec,
  'image' | 'profiles' | 'state' | 'restart' | 'update' | 'config' | 'devices' | 'root' | 'deviceList' | 'dependsOn'
>;

function resolveConfig(document: ManifestDocument, expanded: Expanded, problems: Problem[]): TypedConfig | undefined {
  const { config } = expanded;
  const before = problems.length;
  const value = <Key extends OptionKey<'instance'>>(key: Key): OptionValue<'instance', Key> | undefined => {
    try {
      return optionValue('instance', key, config);
    } catch (error) {
      problems.push(configProblem(document, expanded, key, error));
      return undefined;
    }
  };
  const processLimits: Record<string, SoftHard> = {};
  const sysctls: Record<string, string> = {};
  const environment: Record<string, string> = {};
  for (const [key, text] of Object.entries(config)) {
    const kernel = after(key, 'limits.kernel.');
    const limit = kernel === undefined ? undefined : value(key as 'limits.kernel.nofile');
    if (kernel !== undefined && limit !== undefined) processLimits[kernel] = limit;
    const sysctl = after(key, 'linux.sysctl.');
    if (sysctl !== undefined) sysctls[sysctl] = checked(text, text, key);
    const variable = after(key, 'environment.');
    if (variable !== undefined) environment[variable] = checked(text, `${variable}=${text}`, key);
  }
  function checked(text: string, written: string, key: string): string {
    const problem = settingProblem(written);
    if (problem !== undefined)
      problems.push(locate(document, expanded, key, { rule: 'value', message: `"${key}" cannot be set: ${problem}.` }));
    return text;
  }
  const typed: TypedConfig = {
    protect: value('security.protection.delete') === true,
    privileged: value('security.privileged') === true,
    nesting: value('security.nesting') === true,
    autostart: value('boot.autostart'),
    shutdownTimeoutMs: (value('boot.host_shutdown_timeout') ?? 30) * 1000,
    limits: limitsFrom(value),
    processLimits,
    sysctls,
    environment,
    cloudInit: cloudInitFrom(config),
  };
  return problems.length === before ? typed : undefined;
}

type ReadOption = <Key extends OptionKey<'instance'>>(key: Key) => OptionValue<'instance', Key> | undefined;

function limitsFrom(value: ReadOption): LimitSpec {
  return withoutUndefined({
    cpu: value('limits.cpu'),
    cpuAllowance: value('limits.cpu.allowance'),
    cpuPriority: value('limits.cpu.priority'),
    memory: value('limits.memory'),
    memoryEnforce: value('limits.memory.enforce'),
    memorySwap: value('limits.memory.swap'),
    processes: value('limits.processes'),
  });
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

function withoutUndefined<T extends object>(source: T): Defined<T> {
  return Object.fromEntries(Object.entries(source).filter(([, one]) => one !== undefined)) as Defined<T>;
}

function cloudInitFrom(config: Readonly<Record<string, string>>): CloudInitSpec | undefined {
  const found = {
    userData: config['cloud-init.user-data'],
    vendorData: config['cloud-init.vendor-data'],
    networkConfig: config['cloud-init.network-config'],
  };
  return Object.values(found).every((text) => text === undefined) ? undefined : found;
}

function after(key: string, prefix: string): string | undefined {
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}

function configProblem(document: ManifestDocument, expanded: Expanded, key: string, error: unknown): Problem {
  if (!(error instanceof AppError)) throw error;
  return locate(document, expanded, key, { rule: 'value', message: error.message });
}

/** The problem where the key's value stands: in the instance's document or in the profile that sets it. */
function locate(document: ManifestDocument, expanded: Expanded, key: string, finding: Omit<Finding, 'path'>): Problem {
  const from = expanded.merged.config.get(key)?.from;
  const path: FieldPath = from?.path ?? ['spec', 'config', key];
  return problemIn(from?.document ?? document, { ...finding, path });
}
