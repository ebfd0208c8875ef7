// The kinds the daemon reconciles. Adding one: its schema, its folder, one line here, one example manifest, one plan test.
import type { KindName } from '../core/ref.ts';
import { imageKind } from './image/kind.ts';
import { instanceKind } from './instance/kind.ts';
import { type AnyKind, erase, type KindTable } from './kind.ts';
import { networkKind } from './network/kind.ts';
import { profileKind } from './profile/kind.ts';
import { storagePoolKind } from './storage-pool/kind.ts';

const ALL: readonly AnyKind[] = [erase(storagePoolKind), erase(networkKind), erase(imageKind), erase(profileKind), erase(instanceKind)];

export const kinds: KindTable = new Map<KindName, AnyKind>(ALL.map((kind) => [kind.name, kind]));
