// Profile: a kind without effects on the host. It is there as soon as it is declared, and Ready when it could be resolved; what it
// changes shows in the plans of the instances that use it.
import { optionFor } from '../../schemas/registry.ts';
import type { Kind } from '../kind.ts';
import { type ProfileSpec, resolveProfile } from './resolve.ts';

/** Nothing is ever to be done. */
type NoChange = { readonly do: never };

/** Nothing can be observed: it has no existence but its declaration. */
interface ProfileActual {
  readonly declared: true;
}

export const profileKind: Kind<ProfileSpec, ProfileActual, NoChange> = {
  name: 'Profile',
  declarationOnly: true,
  resolve: (document) => resolveProfile(document),
  needs: () => [],
  allocate: () => [],
  observe: async () => ({ is: 'present', actual: { declared: true } }),
  diff: () => [],
  holds: () => false,
  apply: async () => 'done',
  describe: (change) => ({ verdict: 'live', summary: String(change.do), fields: [] }),
  waitsForNeeds: () => false,
  condition: ({ config, devices }) => {
    const counts = `${Object.keys(config).length} config keys, ${Object.keys(devices).length} devices`;
    return { ready: true, reason: 'Resolved', message: counts };
  },
  details: () => ({}),
  redact: ({ config, devices }, fingerprint) => ({ config: redactConfig(config, fingerprint), devices }),
};

function redactConfig(config: ProfileSpec['config'], fingerprint: (secret: string) => string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, optionFor('instance', key)?.secret === true ? fingerprint(value) : value]),
  );
}
