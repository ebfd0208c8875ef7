// What a container in memory has of devices, by its place inside: an interface's name or a mount's path. A start reads it from the
// config as liblxc does, plugging adds to it; so both can be compared.
import type { Plugged } from '../../src/host/ports/lxc.ts';
import type { MemoryNetwork } from './memory-network.ts';

export class MemoryDevices {
  /** By place: what is there, as text. */
  readonly inside: Map<string, string>;
  readonly #network: MemoryNetwork | undefined;

  constructor(config: string, network: MemoryNetwork | undefined) {
    this.#network = network;
    this.inside = new Map(configuredMounts(config));
    for (const nic of configuredNics(config)) this.plug(nic);
  }

  plug(device: Plugged): void {
    this.unplug(device);
    this.inside.set(placeOf(device), textOf(device));
    if (device.is === 'nic') this.#network?.plug({ name: device.link, master: device.bridge, mtu: device.mtu ?? 1500 });
  }

  unplug(device: Plugged): void {
    if (device.is === 'nic') this.#unplugLink(device.link);
    else this.inside.delete(device.target);
  }

  /** Its end takes all veths along. */
  end(): void {
    for (const text of this.inside.values()) {
      const link = /^veth (\S+)/.exec(text)?.[1];
      if (link !== undefined) this.#unplugLink(link);
    }
  }

  /** Both sides of a veth pair go together, whatever the other one is called by now. */
  #unplugLink(link: string): void {
    for (const [place, text] of this.inside) if (text.startsWith(`veth ${link} `)) this.inside.delete(place);
    this.#network?.unplug(link);
  }
}

function placeOf(device: Plugged): string {
  return device.is === 'nic' ? device.interface : device.target;
}

function textOf(device: Plugged): string {
  if (device.is === 'nic') return `veth ${device.link} ${device.bridge} ${device.hwaddr} ${device.mtu ?? ''}`;
  if (device.is === 'node') return mountText(device.source, false, false, undefined);
  return mountText(device.source ?? 'tmpfs', device.readonly, device.recursive, device.sizeBytes?.toString());
}

function mountText(source: string, readonly: boolean, recursive: boolean, size: string | undefined): string {
  return [source, ...(readonly ? ['ro'] : []), ...(recursive ? ['recursive'] : []), ...(size === undefined ? [] : [size])].join(' ');
}

/** `lxc.mount.entry` lines. */
function configuredMounts(config: string): [string, string][] {
  const found: [string, string][] = [];
  for (const [, line = ''] of config.matchAll(/^lxc\.mount\.entry = (.*)$/gm)) {
    const [source = '', target = '', , text = ''] = line.split(' ').map((field) => field.replaceAll('\\040', ' '));
    const options = text.split(',');
    const size = options.find((option) => option.startsWith('size='))?.slice('size='.length);
    found.push([`/${target}`, mountText(source, options.includes('ro'), options.includes('rbind'), size)]);
  }
  return found;
}

/** `lxc.net.N.KEY` lines. */
function configuredNics(config: string): Plugged[] {
  const nets = new Map<string, Map<string, string>>();
  for (const [, index = '', key = '', value = ''] of config.matchAll(/^lxc\.net\.(\d+)\.([a-z.]+) = (.*)$/gm)) {
    nets.set(index, (nets.get(index) ?? new Map<string, string>()).set(key, value));
  }
  return [...nets.values()]
    .filter((net) => net.get('type') === 'veth')
    .map((net) => {
      const text = (key: string): string => net.get(key) ?? '';
      const mtu = net.get('mtu');
      const nic = { is: 'nic', link: text('veth.pair'), bridge: text('link'), interface: text('name'), hwaddr: text('hwaddr') } as const;
      return { ...nic, ...(mtu === undefined ? {} : { mtu: Number(mtu) }) };
    });
}
