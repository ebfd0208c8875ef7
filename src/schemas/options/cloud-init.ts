// cloud-init.*: what cloud-init in the guest is given as its NoCloud seed. Read by the guest at its next boot.
import { applied, type OptionTable, planned } from '../option.ts';
import { linesValue } from '../value-type.ts';

const SEED = 'A change restarts the instance with a new instance id, so that cloud-init runs again.';

export const cloudInitOptions = {
  'cloud-init.user-data': applied(linesValue, 'restart', `cloud-init user data. ${SEED}`, {
    example: '#cloud-config\npackages: [nginx]',
    secret: true,
  }),
  'cloud-init.vendor-data': applied(linesValue, 'restart', `cloud-init vendor data, which user data overrides. ${SEED}`, {
    example: '#cloud-config\ntimezone: UTC',
    secret: true,
  }),
  'cloud-init.network-config': applied(linesValue, 'restart', `cloud-init network configuration. Default: DHCP on eth0. ${SEED}`, {
    example: 'version: 2\nethernets: { eth0: { dhcp4: true } }',
    secret: true,
  }),
  'user.user-data': planned(linesValue, 'restart', 'Older name of `cloud-init.user-data`.', { secret: true }),
  'user.vendor-data': planned(linesValue, 'restart', 'Older name of `cloud-init.vendor-data`.', { secret: true }),
  'user.network-config': planned(linesValue, 'restart', 'Older name of `cloud-init.network-config`.', { secret: true }),
  'user.meta-data': planned(linesValue, 'restart', 'Appended to the meta-data of the cloud-init seed.', { secret: true }),
} as const satisfies OptionTable;
