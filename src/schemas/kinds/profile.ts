// Profile: config and devices that several instances share.
import { type Static, Type } from 'typebox';
import { closed, configMap, deviceMap } from './common.ts';

export const profileSpecSchema = closed(
  { config: Type.Optional(configMap), devices: Type.Optional(deviceMap) },
  'What instances with this profile get, unless a later profile or they themselves say otherwise.',
);

/** `spec` of a valid Profile document. */
export type ProfileManifest = Static<typeof profileSpecSchema>;
