// Carries out each change of a network. Every effect is safe to repeat: the daemon may have been killed right after it.
import { AppError } from '../../core/errors.ts';
import { refText } from '../../core/ref.ts';
import type { Host } from '../../host/ports/host.ts';
import type { Applier, ApplyRun, Appliers, Outcome } from '../changes.ts';
import type { ResourceRef } from '../../core/ref.ts';
import type { NetworkChangeTable } from './changes.ts';

type Table = NetworkChangeTable;

async function create(host: Host, ref: ResourceRef, change: Table['create'], run: ApplyRun): Promise<Outcome> {
  const { bridge, mtu, hwaddr, alias } = change;
  const present = (await host.network.links()).links.get(bridge);
  if (present?.alias === alias) return 'done';
  if (present !== undefined && (present.alias !== undefined || present.hwaddr !== hwaddr)) throw foreign(ref, bridge);
  if (present === undefined) {
    await run.step('add the bridge', async () => await host.network.addBridge(bridge, { mtu, hwaddr, alias }));
    return 'done';
  }
  await run.step('mark the bridge', async () => await host.network.setLink(bridge, { alias }));
  return 'done';
}

function foreign(ref: ResourceRef, bridge: string): AppError {
  return new AppError(
    'NETWORK_FOREIGN',
    { network: ref.name, link: bridge },
    {
      message: `${refText(ref)} cannot be made: there is already a link "${bridge}" that Lockstep did not make.`,
      hint: `Give the network another name, or remove the link: ip link delete ${bridge}`,
    },
  );
}

/** An applier of one effect. */
function single<Fields>(name: string, effect: (host: Host, change: Readonly<Fields>, run: ApplyRun) => Promise<void>): Applier<Fields> {
  return async (host, _ref, change, run) => {
    await run.step(name, async () => await effect(host, change, run));
    return 'done';
  };
}

async function attachPorts(host: Host, _ref: ResourceRef, change: Table['attachPorts'], run: ApplyRun): Promise<Outcome> {
  for (const port of change.ports) {
    await run.step(`attach ${port}`, async () => {
      try {
        await host.network.setLink(port, { master: change.bridge });
      } catch (error) {
        // Its instance was stopped meanwhile. A missing bridge is found by the next look.
        if (!(error instanceof AppError) || error.code !== 'NETWORK_MISSING') throw error;
      }
    });
  }
  return 'done';
}

async function remove(host: Host, ref: ResourceRef, change: Table['delete'], run: ApplyRun): Promise<Outcome> {
  const { bridge, alias, hwaddr } = change;
  const { links } = await host.network.links();
  const link = links.get(bridge);
  const ours = link !== undefined && (link.alias === alias || (link.alias === undefined && link.hwaddr === hwaddr));
  if (ours) refuseWhileUsed(ref, bridge, links.values());
  await run.step('stop DHCP and DNS', async () => await host.network.stopDhcp(bridge, run.signal));
  const hosts = (await host.network.dhcp()).get(bridge)?.hosts.keys() ?? [];
  await run.step('forget static hosts', async () => {
    await Promise.all([...hosts].map(async (key) => await host.network.removeDhcpHost(bridge, key)));
  });
  await run.step('remove the rules', async () => await host.network.clearFirewall(bridge));
  if (ours) await run.step('delete the bridge', async () => await host.network.deleteLink(bridge));
  return 'done';
}

function refuseWhileUsed(
  ref: ResourceRef,
  bridge: string,
  links: Iterable<{ readonly name: string; readonly master: string | undefined }>,
): void {
  const ports = [...links].filter(({ master }) => master === bridge).map(({ name }) => name);
  if (ports.length === 0) return;
  throw new AppError(
    'NETWORK_IN_USE',
    { network: ref.name, bridge, ports: ports.length },
    {
      message: `${refText(ref)} is not deleted: its bridge "${bridge}" still holds ${ports.slice(0, 5).join(', ')}.`,
      hint: `Instances leave when they stop. A link that is not of an instance can be taken out: ip link set ${ports[0]} nomaster`,
    },
  );
}

export const appliers: Appliers<Table> = {
  create,
  setAlias: single('mark the bridge', (host, { bridge, to }) => host.network.setLink(bridge, { alias: to })),
  setMtu: single('set the MTU', (host, { bridge, to }) => host.network.setLink(bridge, { mtu: to })),
  setHwaddr: single('set the hardware address', (host, { bridge, to }) => host.network.setLink(bridge, { hwaddr: to })),
  setAddresses: single('set the addresses', (host, { bridge, to }) => host.network.setAddresses(bridge, to)),
  setUp: single('bring the bridge up', (host, { bridge }) => host.network.setLink(bridge, { up: true })),
  attachPorts,
  enableForwarding: single('switch forwarding on', (host) => host.network.enableForwarding('ipv4')),
  setFirewall: single('set the rules', (host, { spec }) => host.network.setFirewall(spec)),
  clearFirewall: single('remove the rules', (host, { bridge }) => host.network.clearFirewall(bridge)),
  startDhcp: single('start DHCP and DNS', (host, { spec }, { signal }) => host.network.startDhcp(spec, signal)),
  stopDhcp: single('stop DHCP and DNS', (host, { bridge }, { signal }) => host.network.stopDhcp(bridge, signal)),
  rewriteHosts: single('write the static hosts', (host, { bridge }) => host.network.rewriteDhcpHosts(bridge)),
  delete: remove,
};
