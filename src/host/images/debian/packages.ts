// What the Debian image is made of besides what people ask for, and what of it is switched off inside containers, with the reason.

/** On top of the chosen variant. */
export const BASE_PACKAGES: readonly string[] = [
  'systemd-sysv',
  'systemd-resolved',
  // systemd-networkd waits for udev to know each link where /sys is writable, as it is in unprivileged containers.
  'udev',
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
 * (ConditionVirtualization, ConditionPathIsReadWrite) or are never pulled in.
 */
export const MASKED_UNITS: Readonly<Record<string, string>> = {
  'systemd-binfmt.service': 'the table of binary formats belongs to the host; writing to it is refused',
  'proc-sys-fs-binfmt_misc.automount': 'there is nothing to mount there from inside a user namespace',
};
