// Where Lockstep means to differ from LXD 5.0, and why. docs/reference/differences.md tells users.

const NO_LIMIT = 'leave the key out for no limit';
const ASK_KERNEL = 'LXD refuses what this host cannot do when the value is set; here the plan says so for the host it is for';
const AT_START = 'whether it is there is known at the start, on the host';
const OVER_DOCUMENTS = 'checked over all documents, not by the value alone';
const PLAIN_PATH = 'paths are absolute and plain';
const NO_SENSE = 'it means nothing sensible, and is more likely a mistake';

/** By what judgeKeys prints. */
export const MEANT_DIFFERENCES: Readonly<Record<string, string>> = {
  'instance limits.cpu="0": LXD accepts it': NO_LIMIT,
  'instance limits.cpu.allowance="150%": LXD accepts it': 'more than one CPU is written as a quota: 150ms/100ms',
  'instance limits.cpu.allowance="0%": LXD accepts it': NO_SENSE,
  'instance limits.cpu.allowance="25/100": LXD accepts it': 'times have a unit',
  'instance limits.memory="150%": LXD accepts it': NO_SENSE,
  'instance limits.memory="1EiB": LXD accepts it': 'numbers stay below 8PiB, what a double holds exactly',
  'instance limits.processes="0": LXD accepts it': NO_LIMIT,
  'instance limits.processes="-1": LXD accepts it': NO_LIMIT,
  'instance limits.kernel.nofile="4096:1024": LXD accepts it': 'setrlimit(2) refuses a soft limit above the hard one, at the start',
  'instance limits.kernel.nofile="-1": LXD accepts it': 'written "unlimited"',
  'instance limits.kernel.bogus="1": LXD accepts it': 'liblxc refuses it at the start',
  'instance boot.autostart.delay="-1": LXD accepts it': NO_SENSE,
  'instance boot.host_shutdown_timeout="-1": LXD accepts it': NO_SENSE,
  'instance environment.bad-name="1": LXD accepts it': 'shells cannot name such a variable',
  'device/nic mtu="1400": Lockstep accepts it': 'LXD 5.0 refuses it together with "network"; Incus takes it',
  'device/nic name="a": Lockstep accepts it': 'the kernel takes it',
  'device/nic name="..": LXD accepts it': 'the kernel refuses it, at the start',
  'device/nic ipv4.address="10.199.73.9": Lockstep accepts it': OVER_DOCUMENTS,
  'device/nic ipv4.address="10.199.72.1": Lockstep accepts it': OVER_DOCUMENTS,
  'device/disk path="mnt/a": LXD accepts it': PLAIN_PATH,
  'device/disk path="/mnt/../a": LXD accepts it': PLAIN_PATH,
  'device/disk path="/mnt//a": LXD accepts it': PLAIN_PATH,
  'device/disk source="/etc/../etc": LXD accepts it': PLAIN_PATH,
  'device/disk source="/nonexistent": Lockstep accepts it': AT_START,
  'device/disk source="tmpfs:": Lockstep accepts it': 'as in Incus; LXD 5.0 has no tmpfs disks',
  'device/disk propagation="x": LXD accepts it': 'mount(2) refuses it, at the start',
  'device/unix-char mode="07777": LXD accepts it': 'device nodes have no set-id bits',
  'device/unix-char uid="70000": LXD accepts it': "an instance's range has 65536 ids",
  'device/unix-char source="/etc/passwd": Lockstep accepts it': AT_START,
  'network/bridge ipv4.address="10.199.74.1/31": LXD accepts it': 'no room for a guest',
  'network/bridge ipv4.address="10.199.74.1/4": LXD accepts it': NO_SENSE,
  'network/bridge ipv4.dhcp.ranges="10.199.74.60-10.199.74.50": LXD accepts it': 'dnsmasq refuses it',
  'network/bridge ipv4.dhcp.expiry="30s": LXD accepts it': 'dnsmasq makes two minutes of it',
  'network/bridge dns.mode="dynamic": LXD accepts it': 'not offered',
  'network/bridge dns.domain="a b": LXD accepts it': 'not a domain',
  'network/bridge dns.domain="-x": LXD accepts it': 'not a domain',
  'network/bridge bridge.mtu="68": Lockstep accepts it': "the kernel's own bounds",
  'network/bridge bridge.mtu="65535": Lockstep accepts it': "the kernel's own bounds",
  'instance limits.memory.swap: takes effect both in LXD, live here': 'a restart only puts the soft limit back, which LXD writes along',
  'instance limits.memory.swap.priority: takes effect both in LXD, live here': 'as limits.memory.swap',
  'instance limits.disk.priority: takes effect refused in LXD, live here': ASK_KERNEL,
  'instance limits.hugepages.2MB: takes effect refused in LXD, live here': ASK_KERNEL,
  'instance environment.FOO: takes effect both in LXD, restart here': 'init has the old value until the restart, so there is one',
};
