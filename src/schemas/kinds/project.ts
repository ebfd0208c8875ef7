// Project: a name space for instances, profiles, images and networks, with limits.
import { type Static, Type } from 'typebox';
import { closed, configMap } from './common.ts';

export const projectSpecSchema = closed({ config: Type.Optional(configMap) }, 'What holds in the project.');

/** `spec` of a valid Project document. */
export type ProjectManifest = Static<typeof projectSpecSchema>;
