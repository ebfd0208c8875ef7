// Devices of type none, and those that are planned as a whole: gpu, proxy, infiniband, tpm.
import { type OptionTable, planned } from '../option.ts';
import { absolutePathValue, booleanValue, choiceValue, integerValue, linkNameValue, macValue, textValue } from '../value-type.ts';
import { attached, gid, mode, pci, productid, uid, vendorid } from './device-common.ts';

/** `type: none` masks a device of a profile; it has no options. */
export const noneOptions = {} as const satisfies OptionTable;

export const gpuOptions = {
  gputype: planned(choiceValue('physical', 'mig'), 'replug', 'Whole card or a part of it.', { default: 'physical' }),
  vendorid,
  productid,
  pci,
  id: planned(textValue, 'replug', 'DRM card number.'),
  uid,
  gid,
  mode,
  'mig.uuid': planned(textValue, 'restart', 'The MIG device by its UUID.'),
  'mig.gi': planned(integerValue({ min: 0 }), 'restart', 'MIG GPU instance.'),
  'mig.ci': planned(integerValue({ min: 0 }), 'restart', 'MIG compute instance.'),
  attached,
} as const satisfies OptionTable;

export const proxyOptions = {
  listen: planned(textValue, 'replug', 'Where to listen: `tcp:0.0.0.0:80`, `unix:/path`.'),
  connect: planned(textValue, 'replug', 'Where to connect to.'),
  bind: planned(choiceValue('host', 'instance'), 'replug', 'Which side listens.', { default: 'host' }),
  nat: planned(booleanValue, 'replug', 'Forward by NAT instead of a process.', { default: 'false' }),
  proxy_protocol: planned(booleanValue, 'replug', 'Pass the address of the caller by the PROXY protocol.', { default: 'false' }),
  uid,
  gid,
  mode,
  'security.uid': planned(integerValue({ min: 0 }), 'replug', 'User the process runs as.', { default: '0' }),
  'security.gid': planned(integerValue({ min: 0 }), 'replug', 'Group the process runs as.', { default: '0' }),
  attached,
} as const satisfies OptionTable;

export const infinibandOptions = {
  nictype: planned(choiceValue('physical', 'sriov'), 'replug', 'Whole card or a virtual function.'),
  parent: planned(linkNameValue, 'replug', "The host's interface."),
  name: planned(linkNameValue, 'replug', "The interface's name in the instance."),
  hwaddr: planned(macValue, 'replug', 'Its address.'),
  mtu: planned(integerValue({ min: 68 }), 'replug', 'Its MTU.', { unit: 'bytes' }),
  attached,
} as const satisfies OptionTable;

export const tpmOptions = {
  path: planned(absolutePathValue, 'restart', 'The device in the instance.'),
  attached,
} as const satisfies OptionTable;
