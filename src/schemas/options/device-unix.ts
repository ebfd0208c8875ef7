// Devices of type unix-char, unix-block, unix-hotplug and usb: device nodes of the host.
import { applied, type OptionTable, planned } from '../option.ts';
import { absolutePathValue, booleanValue, integerValue, modeValue, textValue } from '../value-type.ts';
import { attached, gid, mode, pci, productid, uid, vendorid } from './device-common.ts';

// The kernel has 12 bits for the major and 20 for the minor number of a device (include/linux/kdev_t.h).
const major = integerValue({ min: 0, max: 4095 });
const minor = integerValue({ min: 0, max: 1_048_575 });
const id = integerValue({ min: 0, max: 65_535 });

export const unixCharOptions = {
  source: applied(absolutePathValue, 'replug', 'The device on the host. Default: `path`.', { example: '/dev/net/tun' }),
  path: applied(absolutePathValue, 'replug', 'The device in the instance. Default: `source`.', { example: '/dev/net/tun' }),
  major: applied(major, 'replug', "Major number. Default: the source's.", { example: '10' }),
  minor: applied(minor, 'replug', "Minor number. Default: the source's.", { example: '200' }),
  uid: applied(id, 'replug', 'Owner in the instance.', { default: '0', example: '1000' }),
  gid: applied(id, 'replug', 'Group in the instance.', { default: '0', example: '5' }),
  mode: applied(modeValue, 'replug', 'File mode in the instance.', { default: '0660', example: '0666' }),
  required: applied(booleanValue, 'live', 'Whether the instance must not start while the source is missing.', {
    default: 'true',
    example: 'false',
  }),
  attached,
} as const satisfies OptionTable;

export const unixBlockOptions = {
  source: planned(absolutePathValue, 'replug', 'The device on the host.'),
  path: planned(absolutePathValue, 'replug', 'The device in the instance.'),
  major: planned(major, 'replug', 'Major number.'),
  minor: planned(minor, 'replug', 'Minor number.'),
  uid,
  gid,
  mode,
  required: planned(booleanValue, 'replug', 'Whether the source must be there at start.', { default: 'true' }),
  attached,
} as const satisfies OptionTable;

export const unixHotplugOptions = {
  vendorid,
  productid,
  pci: { ...pci, origin: 'Incus' },
  uid,
  gid,
  mode,
  required: planned(booleanValue, 'replug', 'Whether the device must be there at start.', { default: 'false' }),
  attached,
} as const satisfies OptionTable;

export const usbOptions = {
  vendorid,
  productid,
  serial: planned(textValue, 'replug', 'Serial number of the device.', { origin: 'Incus' }),
  busnum: planned(integerValue({ min: 0 }), 'replug', 'Number of the bus.', { origin: 'Incus' }),
  devnum: planned(integerValue({ min: 0 }), 'replug', 'Number of the device on its bus.', { origin: 'Incus' }),
  uid,
  gid,
  mode,
  required: planned(booleanValue, 'replug', 'Whether the device must be there at start.', { default: 'false' }),
  attached,
} as const satisfies OptionTable;
