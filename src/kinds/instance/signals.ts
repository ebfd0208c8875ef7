// Signals an image may ask for (`signal.halt`, `signal.reboot` in its properties), as liblxc names them.

const NAMES = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGPWR', 'SIGWINCH'];

/** The signal's name, or undefined when the image's text is not one init could mean. */
export function signalFrom(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (NAMES.includes(text)) return text;
  return /^SIGRTMIN\+(?:[0-9]|1[0-5])$/.test(text) ? text : undefined;
}
