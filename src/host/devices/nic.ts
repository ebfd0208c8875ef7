// An interface in a bridge: a veth pair that liblxc makes itself, with a fixed name on the host side, so that a guest's reboot needs no
// daemon; and a static lease with the guest's name.
import { vethName } from '../../core/names.ts';
import type { ConfigItem, DeviceContext, DeviceDriver, DeviceParts, NicSpec } from './device-spec.ts';

function parts(device: NicSpec, context: DeviceContext): DeviceParts {
  const network = context.networks[device.name];
  const hwaddr = device.hwaddr ?? context.hwaddrs[device.name];
  if (network === undefined || hwaddr === undefined) {
    return { config: [], missing: `The network "${device.network.name}" of NIC "${device.name}" is not there.` };
  }
  const mtu = device.mtu ?? network.mtu;
  const net = `lxc.net.${context.nicIndex}`;
  const link = vethName(context.prefix, context.uid, device.name);
  const config: ConfigItem[] = [
    [`${net}.type`, 'veth'],
    [`${net}.link`, network.bridge],
    [`${net}.veth.pair`, link],
    [`${net}.name`, device.interface],
    [`${net}.hwaddr`, hwaddr],
    // Without it liblxc dumps all links of the host at each start to copy the bridge's.
    ...(mtu === undefined ? [] : ([[`${net}.mtu`, String(mtu)]] as const)),
    [`${net}.flags`, 'up'],
  ];
  const plugged = {
    is: 'nic',
    link,
    bridge: network.bridge,
    interface: device.interface,
    hwaddr,
    ...(mtu === undefined ? {} : { mtu }),
  } as const;
  if (!network.dhcp) return { config, plugged };
  const host = { hwaddr, address: device.ipv4, hostname: context.hostname };
  return { config, plugged, dhcpHosts: [{ bridge: network.bridge, key: `${context.uid}.${device.name}`, host }] };
}

export const nicDriver: DeviceDriver<NicSpec> = { hostPaths: () => [], parts };
