// Options that several device types share.
import { planned } from '../option.ts';
import { booleanValue, integerValue, textValue } from '../value-type.ts';

export const attached = planned(booleanValue, 'replug', 'Whether the device is plugged in.', { default: 'true', origin: 'Incus' });
export const bootPriority = planned(integerValue(), 'live', 'Boot order of virtual machines.');
export const uid = planned(integerValue({ min: 0 }), 'replug', 'Owner in the instance.', { default: '0' });
export const gid = planned(integerValue({ min: 0 }), 'replug', 'Group in the instance.', { default: '0' });
export const mode = planned(textValue, 'replug', 'File mode in the instance.', { default: '0660' });
export const vendorid = planned(textValue, 'replug', "The vendor's id, four hexadecimal digits.");
export const productid = planned(textValue, 'replug', "The product's id, four hexadecimal digits.");
export const pci = planned(textValue, 'replug', 'PCI address, `0000:01:00.0`.');
