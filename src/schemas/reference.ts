// The reference pages of the manifest language, made from the schemas and the option registry. `npm run docs` writes them.
import type { KindName } from '../core/ref.ts';
import { ALL_KINDS, kindSchema } from './kinds/table.ts';
import type { OptionStatus } from './option.ts';
import { OPTION_SCOPES, type OptionEntry, type OptionScope, optionsOf, PLANNED_SCOPES } from './registry.ts';

interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
}

const NOTE = '<!-- Made by `npm run docs` from src/schemas. Change it there. -->\n';

const EXAMPLES: Readonly<Record<KindName, string>> = {
  Instance: `spec:
  image: debian
  config: { limits.cpu: "2", limits.memory: 512MiB }
  devices:
    eth0: { type: nic, network: lan, ipv4.address: 10.20.0.10 }
  dependsOn: [{ kind: Instance, name: db }]`,
  Profile: `spec:
  devices:
    root: { type: disk, path: /, pool: fast }`,
  Image: `spec:
  source: { build: { type: debian, release: bookworm, packages: [nginx] } }`,
  Network: `spec:
  config: { ipv4.address: 10.20.0.1/24, ipv4.nat: "true" }`,
  StoragePool: `spec:
  driver: btrfs
  config: { size: 20GiB }`,
  StorageVolume: `spec:
  pool: fast
  config: { size: 5GiB }`,
  NetworkACL: `spec:
  ingress:
    - { action: allow, protocol: tcp, destination_port: "80,443" }`,
  NetworkForward: `spec:
  network: lan
  listenAddress: 192.0.2.10
  ports:
    - { protocol: tcp, listen_port: "80", target_address: 10.20.0.10 }`,
  Project: `spec:
  config: { limits.instances: "20" }`,
  InstanceSet: `spec:
  replicas: 3
  template:
    spec: { image: debian }`,
};

/** Pages by file name below docs/reference/. */
export function referencePages(): ReadonlyMap<string, string> {
  const pages = new Map<string, string>([['manifests.md', indexPage()]]);
  for (const kind of ALL_KINDS) pages.set(`kind-${kind.toLowerCase()}.md`, kindPage(kind));
  pages.set('options-instance.md', optionsPage('Config of instances and profiles', 'instance'));
  pages.set('devices.md', devicesPage());
  pages.set('not-supported-yet.md', plannedPage());
  return pages;
}

function indexPage(): string {
  const rows = ALL_KINDS.map((kind) => {
    const { description, planned } = kindSchema(kind);
    return `| [${kind}](kind-${kind.toLowerCase()}.md) | ${description}${planned === true ? ' Not supported yet.' : ''} |`;
  });
  return `${NOTE}
# Manifests

A manifest file (\`*.yaml\`, \`*.yml\`, \`*.json\`) holds one or more documents, separated by \`---\`:

\`\`\`yaml
apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec: { image: debian }
\`\`\`

| kind | |
| --- | --- |
${rows.join('\n')}

More: [config of instances and profiles](options-instance.md), [devices](devices.md), [what differs from LXD](differences.md),
[what is not supported yet](not-supported-yet.md). Schemas for editors: [lockstep.schema.json](schema/lockstep.schema.json).

Rules that hold everywhere:

- Files are YAML 1.2: \`yes\` and \`no\` are text, \`0660\` is taken as it is written. Tags, merge keys (\`<<\`) and keys given twice are refused.
- Values in \`config\` and \`devices\` are text. Unquoted whole numbers and \`true\`/\`false\` are taken as they are written; quote everything else
  that YAML would read as a number or a date.
- An empty value (\`key:\` or \`key: ""\`) means that the key is not set here.
- A file has at most 4 MiB, a document at most 32 levels.
`;
}

function kindPage(kind: KindName): string {
  const schema = kindSchema(kind);
  const spec = schema.spec as SchemaNode;
  const example = `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: example }\n${EXAMPLES[kind]}`;
  const parts = [
    `${NOTE}\n# ${kind}`,
    schema.description,
    ...(schema.planned === true ? [PLANNED_KIND] : []),
    `\`\`\`yaml\n${example}\n\`\`\``,
    `## spec\n\n${fieldTable(spec)}`,
  ];
  if (kind === 'Instance' || kind === 'Profile') {
    parts.push('Keys of `config`: [options-instance.md](options-instance.md). Devices: [devices.md](devices.md).');
  }
  if (kind === 'Network') parts.push(`## config of a bridge\n\n${optionTable('network/bridge')}`);
  for (const [scope, title] of PLANNED_TABLES[kind] ?? []) parts.push(`## ${title}\n\n${optionTable(scope, 'planned')}`);
  if (kind === 'StoragePool') {
    for (const scope of scopesOf('pool/')) parts.push(`## config with driver ${scope.slice(5)}\n\n${optionTable(scope)}`);
  }
  return `${parts.join('\n\n')}\n`;
}

const PLANNED_KIND = `**Not supported yet.** Documents of this kind are checked as described here, and then refused: nothing carries them out in
this release.`;

const PLANNED_TABLES: Readonly<Partial<Record<KindName, readonly (readonly [OptionScope, string])[]>>> = {
  StorageVolume: [['volume', 'config']],
  NetworkACL: [['network-acl/rule', 'Fields of a rule']],
  NetworkForward: [['network-forward', 'config (`target_address`) and fields of a port rule (`ports.`)']],
  Project: [['project', 'config']],
};

function fieldTable(node: SchemaNode): string {
  return ['| field | | default | |', '| --- | --- | --- | --- |', ...fieldRows(node, '')].join('\n');
}

function fieldRows(node: SchemaNode, prefix: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const needed = node.required?.includes(name) === true ? '**required**' : '';
    const fallback = field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``;
    const values = (field.enum ?? []).map((value) => `\`${String(value)}\``).join(', ');
    const about = [field.description ?? '', values === '' ? '' : `One of ${values}.`].filter((text) => text !== '').join(' ');
    const row = `| \`${path}\` | ${needed} | ${fallback} | ${cell(about)} |`;
    const inner = field.items?.properties === undefined ? fieldRows(field, `${path}.`) : fieldRows(field.items, `${path}[].`);
    return [row, ...inner];
  });
}

function optionsPage(title: string, scope: OptionScope): string {
  return `${NOTE}\n# ${title}\n\n${HOW}\n\n${optionTable(scope)}\n`;
}

const HOW = `"Lands" says what a change of the value does: \`live\` takes effect on the running instance, \`replug\` takes the
device out and puts it back, \`restart\` restarts the instance, \`recreate\` makes its root volume anew (after a confirmation), \`immutable\` is refused.`;

function devicesPage(): string {
  const parts = scopesOf('device/').map((scope) => {
    const type = scope.slice('device/'.length);
    if (type === 'none') return '## none\n\nMasks a device of the same name that a profile has. It has no options.';
    return `## ${type}\n\n${optionTable(scope)}`;
  });
  const intro =
    'A device has a name, a `type` and the options of that type. A device of an instance replaces one of the same name of its profiles as a whole.';
  return `${NOTE}\n# Devices\n\n${intro}\n\n${HOW}\nDevices are added to and removed from a running instance, see [devices](../devices.md).\n\n${parts.join('\n\n')}\n`;
}

function scopesOf(prefix: string): OptionScope[] {
  return OPTION_SCOPES.filter((scope) => scope.startsWith(prefix) && !PLANNED_SCOPES.has(scope));
}

function optionTable(scope: OptionScope, status: OptionStatus = 'applied'): string {
  const rows = withStatus(scope, status).map((option) => {
    const { key, type, default: fallback, verdict, description, example } = option;
    const shown = example === undefined || example.includes('\n') ? '' : ` For example \`${example}\`.`;
    const value = option.unit === undefined ? type.syntax : `${type.syntax} (${option.unit})`;
    return `| \`${key}\` | ${cell(value)} | ${fallback === undefined ? '' : `\`${fallback}\``} | ${verdict} | ${cell(description + shown)} |`;
  });
  return ['| key | value | default | lands | |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}

function plannedPage(): string {
  const parts = OPTION_SCOPES.flatMap((scope) => {
    const options = withStatus(scope, 'planned');
    if (options.length === 0) return [];
    const whole = PLANNED_SCOPES.has(scope) ? ' (as a whole)' : '';
    return [`## ${scope}${whole}\n\n${options.map(({ key }) => `\`${key}\``).join(', ')}`];
  });
  const intro = 'Keys of LXD and Incus that are known, and refused as "not supported yet" instead of being ignored.';
  return `${NOTE}\n# Not supported yet\n\n${intro}\n\n${parts.join('\n\n')}\n`;
}

function withStatus(scope: OptionScope, status: OptionStatus): OptionEntry[] {
  return optionsOf(scope).filter((option) => option.status === status);
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
}
