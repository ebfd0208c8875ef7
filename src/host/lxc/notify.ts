// Messages to systemd about this service (sd_notify(3)).
import { loadNative } from './binding.ts';

/** Sends `READY=1` and the like; false when not run by systemd. */
export function sdNotify(text: string): boolean {
  return loadNative().sdNotify(text);
}
