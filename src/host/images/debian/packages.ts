// What the Debian image is made of besides what people ask for, and what of it is switched off inside containers, with the reason.

/** On top of the chosen variant. */
export const BASE_PACKAGES: readonly string[] = [
  'systemd-sysv',
  'systemd-resolved',
  'dbus',
  'libpam-systemd',
  'cloud-init',
  'iproute2',
  'iputils-ping',
  'netbase',
  'procps',
  'ca-certificates',
];

/**
 * Units that cannot work in an unprivileged container. Others that are in the way switch themselves off by a condition
 * (ConditionVirtualization, ConditionPathIsReadWrite=/sys).
 */
export const MASKED_UNITS: Readonly<Record<string, string>> = {};
